/** Signed requests with one thing changed at random: refused in AWS's words, and never seen by the kernel. */
import t from 'tap'
import { sign } from '../sigv4/sign.ts'
import { Random, REPEAT } from '../support/random.ts'
import { makeAws, USER } from './support.ts'

const ROUNDS = process.env.TEST_LONG === '1' ? 50_000 : 2_000
const HOST = '127.0.0.1:7400'
const BODY = '{"Limit":10}'

type Request = { url: string; body: string; headers: Record<string, string> }

/** Text that a header may carry, and now and then what one had better not. */
const printable = (random: Random, length: number): string =>
  Array.from({ length }, () => String.fromCharCode(random.between(0x21, random.chance(0.1) ? 0xff : 0x7e))).join('')

/** Another character in its place: never the same. */
function flip(random: Random, text: string): string {
  const place = random.between(0, text.length - 1)
  const code = text.charCodeAt(place) ^ (1 << random.between(0, 5))
  // Control characters are refused by HTTP itself.
  const other = code < 0x21 || code === 0x7f ? 'x' : String.fromCharCode(code)
  return text.slice(0, place) + (other === text[place] ? 'y' : other) + text.slice(place + 1)
}

const part = (name: string, change: (text: string, random: Random) => string) => (request: Request, random: Random) => {
  request.headers.authorization = (request.headers.authorization ?? '').replace(
    new RegExp(`(${name}=)([^,]+)`),
    (_, head: string, text: string) => head + change(text, random),
  )
}
const flipped = (text: string, random: Random): string => flip(random, text)

const CHANGES: Readonly<Record<string, (request: Request, random: Random) => void>> = {
  'a letter of the signature': part('Signature', flipped),
  'a letter of the credential': part('Credential', flipped),
  'another credential': part(
    'Credential',
    (_, random) => `${printable(random, 20).replaceAll(',', 'x')}/20260101/us-east-1/kms/aws4_request`,
  ),
  'fewer signed headers': part('SignedHeaders', (text, random) => {
    const names = text.split(';')
    names.splice(random.between(0, names.length - 1), 1)
    return names.join(';') || 'x'
  }),
  'more signed headers': part('SignedHeaders', (text) => `${text};x-amz-more`),
  'no authorization': ({ headers }) => {
    delete headers.authorization
  },
  'any authorization': ({ headers }, random) => {
    headers.authorization = `AWS4-HMAC-SHA256 ${printable(random, random.between(0, 300))}`
  },
  'a part of it': (request, random) => {
    const text = request.headers.authorization ?? ''
    request.headers.authorization = text.slice(0, random.between(0, text.length - 1))
  },
  'another date': ({ headers }, random) => {
    headers['x-amz-date'] = flip(random, headers['x-amz-date'] ?? '')
  },
  'another body': (request, random) => {
    request.body = flip(random, request.body)
  },
  'more body': (request, random) => {
    request.body += printable(random, random.between(1, 50))
  },
  'another operation': ({ headers }, random) => {
    headers['x-amz-target'] = `TrentService.${random.pick(['ListAliases', 'CreateKey', 'GenerateRandom'])}`
  },
  'another host': ({ headers }) => {
    headers.host = 'localhost:7400'
  },
  'a query': (request, random) => {
    request.url = `/?${encodeURIComponent(printable(random, random.between(1, 40)))}=1`
  },
  'a broken query': (request, random) => {
    request.url = `/?${random.pick(['%', '%z', '%%', 'a=%f', 'X-Amz-Algorithm=', 'X-Amz-Algorithm=AWS4-HMAC-SHA256'])}`
  },
  'a session token': ({ headers }, random) => {
    headers['x-amz-security-token'] = printable(random, random.between(1, 400))
  },
  'one more header that must be signed': ({ headers }, random) => {
    headers['x-amz-fuzz'] = printable(random, 5)
  },
}

const REFUSALS: ReadonlySet<string> = new Set([
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
])

t.test('one change', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const plain = { host: HOST, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' }
  const make = (): Request => ({
    url: '/',
    body: BODY,
    headers: sign({ method: 'POST', path: '/', headers: plain, body: BODY }, USER, { at: aws.clock.now() }),
  })
  const send = ({ url, body, headers }: Request) =>
    aws.server.app.inject({ method: 'POST', url, headers, payload: body })
  t.equal((await send(make())).statusCode, 200)
  const names = Object.keys(CHANGES)
  for (let round = 0; round < ROUNDS; round++) {
    const request = make()
    const name = names[round % names.length] ?? ''
    CHANGES[name]?.(request, random)
    const { statusCode, body } = await send(request)
    const type = statusCode === 400 ? JSON.parse(body).__type : statusCode
    if (!REFUSALS.has(type))
      t.fail(`${REPEAT}, round ${round}: ${name} → ${statusCode} ${body}\n${JSON.stringify(request)}`)
  }
  const seen = aws.audit.records.filter(({ operation }) => operation !== 'Authenticate')
  t.equal(seen.length, 1, 'the kernel saw the one that was right')
  t.equal((await send(make())).statusCode, 200)
})
