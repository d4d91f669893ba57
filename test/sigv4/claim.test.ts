/** What a head alone is refused for, in the words recorded from the service, and what is let through in spite of its looks. */
import t from 'tap'
import { type ClaimRules, readClaim } from '../../src/api/sigv4/claim.ts'
import { SignatureFault } from '../../src/api/sigv4/fault.ts'
import { SignatureVerifier, secretKeyOf } from '../../src/api/sigv4/verify.ts'
import { sign } from './sign.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const RULES: ClaimRules = {
  services: ['kms', 'sts'],
  mustSign: (name) => name.startsWith('x-amz-'),
  normalizePath: true,
  skewMs: 300_000,
}
const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' }
const SECRET = secretKeyOf(Buffer.from(CREDENTIALS.secretAccessKey))
const HEADERS = { host: 'kms.example.org', 'x-amz-target': 'TrentService.ListKeys' }
const BODY = '{}'

type Change = {
  readonly authorization?: (text: string) => string
  readonly date?: string
  readonly url?: string
  readonly more?: readonly string[]
  readonly without?: string
}
const signed = sign({ method: 'POST', path: '/', headers: HEADERS, body: BODY }, CREDENTIALS, { at: NOW })

function claim(change: Change = {}) {
  const headers: Record<string, string> = { ...signed, ...(change.date !== undefined && { 'x-amz-date': change.date }) }
  if (change.authorization) headers.authorization = change.authorization(signed.authorization ?? '')
  if (change.without !== undefined) delete headers[change.without]
  const rawHeaders = [...Object.entries(headers).flat(), ...(change.more ?? [])]
  return readClaim({ method: 'POST', url: change.url ?? '/', rawHeaders }, RULES, NOW)
}
const refused = (change: Change): string => {
  try {
    return claim(change) === undefined ? 'unsigned' : 'taken'
  } catch (error) {
    if (error instanceof SignatureFault) return `${error.kind}: ${error.message}`
    throw error
  }
}
const verifies = (change: Change): boolean => {
  const found = claim(change)
  return found !== undefined && new SignatureVerifier().verify(found, 'a', SECRET, Buffer.from(BODY))
}
const replace = (from: string | RegExp, to: string): Change => ({ authorization: (text) => text.replace(from, to) })

t.test('what does not have the form of a signature', (t) => {
  t.equal(refused({ without: 'authorization' }), 'unsigned')
  t.equal(refused({ authorization: () => 'Bearer abc' }), 'missing: Missing Authentication Token')
  t.equal(refused(replace('SHA256', 'SHA512')), "incomplete: Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'.")
  t.equal(
    refused({ authorization: () => 'AWS4-HMAC-SHA256 Foo=Bar', without: 'x-amz-date' }),
    "incomplete: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256",
  )
  t.equal(
    refused(replace(/Credential=[^,]+/, 'Credential=a/b/c/d')),
    "incomplete: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'",
  )
  t.match(refused(replace('Credential=', 'Credential')), /^incomplete: .*missing equal-sign/)
  t.match(refused({ authorization: (text) => `${text}, Signature=0` }), /^incomplete: .*more than one 'Signature'/)
  t.match(refused(replace(/Signature=.*/, 'Signature=')), /^incomplete: Authorization header requires 'Signature'/)
  for (const date of [
    '20260101',
    '20260230T000000Z',
    '20260101T250000Z',
    '2026-01-01T12:00:00Z',
    '',
    '٢٠٢٦٠١٠١T120000Z',
  ]) {
    t.match(
      refused({ date }),
      /^incomplete: (Date must be in ISO-8601 'basic format'|Authorization header requires exis)/,
    )
  }
  t.end()
})

t.test('scope and date', (t) => {
  t.equal(
    refused(replace(/\/20260101\/us-east-1\/kms\/aws4_request/, '/20251231/us_east/s3/aws5_request')),
    "invalid: Credential should be scoped to a valid region, not 'us_east'. Credential should be scoped to correct service: 'kms'. Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20251231' != '20260101', from '20260101T120000Z'.",
  )
  t.equal(
    refused({ date: '20260101T115459Z' }),
    'invalid: Signature expired: 20260101T115459Z is now earlier than 20260101T115500Z (20260101T120000Z - 5 min.)',
  )
  t.equal(
    refused({ date: '20260101T120501Z' }),
    'invalid: Signature not yet current: 20260101T120501Z is still later than 20260101T120500Z (20260101T120000Z + 5 min.)',
  )
  t.equal(refused({ date: '20260101T115500Z' }), 'taken')
  t.notOk(verifies({ date: '20260101T115500Z' }), 'a date in time that is not the signed one')
  t.end()
})

t.test('headers', (t) => {
  t.ok(verifies({}))
  t.ok(verifies({ more: ['User-Agent', 'x', 'X-Amzn-Trace-Id', 'Root=1'] }), 'what is not signed may be added')
  t.equal(
    refused({ more: ['X-Amz-Meta', 'x'] }),
    "invalid: 'x-amz-meta' must be a 'SignedHeader' in the AWS Authorization.",
  )
  t.equal(
    refused(replace('host;', '')),
    "invalid: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
  )
  for (const name of ['X-Amz-Target', 'X-Amz-Date', 'Host', 'Authorization', 'x-amz-TARGET']) {
    t.equal(refused({ more: [name, 'x'] }), `incomplete: The request has more than one '${name.toLowerCase()}' header.`)
  }
  t.notOk(verifies({ without: 'x-amz-target' }), 'a signed header that is gone')
  t.end()
})

t.test('other spellings of the same', (t) => {
  t.ok(verifies({ authorization: (text) => text.replaceAll(', ', ',') }))
  t.ok(verifies({ authorization: (text) => text.replaceAll(', ', ' ,  ') }))
  t.ok(verifies(replace('AWS4-HMAC-SHA256 ', 'AWS4-HMAC-SHA256   ')))
  const [, credential, names, signature] =
    /Credential=(\S+), SignedHeaders=(\S+), Signature=(\S+)/.exec(signed.authorization ?? '') ?? []
  t.ok(
    verifies({
      authorization: () => `AWS4-HMAC-SHA256 Signature=${signature}, SignedHeaders=${names}, Credential=${credential}`,
    }),
  )
  const shuffled = names?.split(';').reverse().join(';').toUpperCase()
  t.ok(verifies(replace(/SignedHeaders=[^,]+/, `SignedHeaders=${shuffled}`)), 'the order of names is canonical anyway')
  t.end()
})

t.test('paths and queries', (t) => {
  t.notOk(verifies({ url: '/?a=b' }))
  t.ok(verifies({ url: '//' }), 'normalized to the one that was signed')
  t.match(refused({ url: '/?a=%zz' }), /^invalid: Illegal hex character in escape % pattern: %zz$/)
  t.equal(
    refused({ url: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256' }),
    "invalid: Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
  )
  t.match(
    refused({ url: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256', without: 'authorization' }),
    /^incomplete: AWS query-string parameters must include 'X-Amz-Credential'\. .*Re-examine the query-string parameters\.$/,
  )
  t.end()
})

t.test('a head of many headers costs what it has bytes', (t) => {
  const many = Array.from({ length: 4000 }, (_, index) => [`h${index}`, 'v']).flat()
  const names = many.filter((_, index) => index % 2 === 0).join(';')
  t.notOk(verifies({ more: many, authorization: (text) => text.replace('SignedHeaders=', `SignedHeaders=${names};`) }))
  t.end()
})
