/** Cloud EKM as Google calls it: what is answered, what is refused and with which number, and what the log keeps of it. */
import { createHash, createPublicKey, verify } from 'node:crypto'
import t, { type Test } from 'tap'
import { createCloudEkmSurface } from '../../src/api/ekm/cloud/index.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createRing } from '../../src/core/ops/rings.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { disableKey, enableKey } from '../../src/core/ops/set-key-enabled.ts'
import { type Json, rsaKey, serveIssuer, token } from '../oidc/support.ts'
import type { KernelOptions } from '../support/kernel.ts'
import { exposuresOf, makeEkm } from './support.ts'

const GOOGLE = rsaKey('google')
const AGENT = 'service-1@gcp-sa-ekms.iam.gserviceaccount.com'
const OTHER = 'service-2@gcp-sa-ekms.iam.gserviceaccount.com'
const HOST = 'ekm.example.org'
const PLAINTEXT = Buffer.from('planted plaintext that no log has').toString('base64')
const AAD = Buffer.from('bound').toString('base64')
const RING = { by: 'name', name: 'default' } as const

type Made = Awaited<ReturnType<typeof make>>

async function make(t: Test, more: Json = {}, options: KernelOptions = {}) {
  const issuer = await serveIssuer([GOOGLE.jwk])
  t.teardown(() => issuer.close())
  const settings = {
    protocol: 'cloud-ekm',
    name: 'acme',
    host: HOST,
    // A machine that is busy with other tests is no key manager that is late.
    deadlineMs: 10_000,
    issuer: {
      issuer: 'https://accounts.google.com',
      aliases: ['accounts.google.com'],
      jwksUri: `${issuer.url}/certs`,
    },
    callers: [AGENT],
    keys: [
      { id: 'payments', key: 'default/payments' },
      { id: 'signer', key: 'default/signer' },
      { id: 'strict', key: 'default/payments', reasons: ['CUSTOMER_INITIATED_ACCESS', 'UNKNOWN'] },
      { id: 'others', key: 'default/others', callers: [OTHER] },
      { id: 'gone', key: 'default/never-made' },
    ],
    ...more,
  }
  const made = await makeEkm(t, {
    ...options,
    settings: [settings],
    surfaces: (exposures, homeRealm) => [createCloudEkmSurface({ exposures, homeRealm, version: '1.2.3' })],
  })
  const { run, clock } = made
  await run('gcp', createKey, { ring: RING, name: 'payments', spec: 'aes_256' })
  await run('aws', createKey, { ring: RING, name: 'others', spec: 'aes_256' })
  await run('azure', createKey, { ring: RING, name: 'signer', spec: 'ec_p256', purpose: 'sign_verify' })
  const claims = (change: Json = {}): Json => ({
    iss: 'https://accounts.google.com',
    aud: `https://${HOST}`,
    azp: '1',
    sub: '1',
    email: AGENT,
    email_verified: true,
    iat: clock.now() / 1000,
    exp: clock.now() / 1000 + 3600,
    ...change,
  })
  const bearer = (change: Json = {}) => ({ authorization: `Bearer ${token(claims(change), GOOGLE)}` })
  const post = (path: string, body: unknown, headers: Record<string, string> = bearer()) =>
    made.ask(`/v0/${path}`, { body, headers })
  return { ...made, issuer, settings, claims, bearer, post }
}

const reason = (value: string | undefined, more: Json = {}): Json => ({
  additionalContext: {
    relativeResourceName: 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1',
    ...(value !== undefined && { accessReasonContext: { reason: value } }),
    ...more,
  },
})

t.test('wrap and unwrap', async (t) => {
  const { post, audit, logged } = await make(t)
  const body = { plaintext: PLAINTEXT, additionalAuthenticatedData: AAD, ...reason('CUSTOMER_INITIATED_ACCESS') }
  const wrapped = await post('keys/payments:wrap', body)
  t.equal(wrapped.status, 200)
  t.same(Object.keys(wrapped.body), ['wrappedBlob'])
  const { wrappedBlob } = wrapped.body
  const back = await post('keys/payments:unwrap', { wrappedBlob, additionalAuthenticatedData: AAD })
  t.same(back.body, { plaintext: PLAINTEXT })
  t.not((await post('keys/payments:wrap', body)).body.wrappedBlob, wrappedBlob, 'never the same twice')
  const record = audit.records.find(({ wire }) => wire === 'cloud/wrap')
  t.match(record, {
    dialect: 'ekm',
    operation: 'Encrypt',
    principal: `bearer:acme/${AGENT}`,
    exposure: 'acme',
    exposedKey: 'payments',
    behalfKey: 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1',
    behalfReason: 'CUSTOMER_INITIATED_ACCESS',
    decision: 'allow',
    outcome: 'ok',
  })
  for (const text of [logged(), JSON.stringify(audit.records)]) {
    t.notOk(text.includes('planted') || text.includes(PLAINTEXT) || text.includes(wrappedBlob))
  }
})

t.test('bodies as they were seen to come', async (t) => {
  const { post, ask, bearer } = await make(t)
  const plain = Buffer.from([0xfb, 0xff, 0xfe])
  const wrapped = await post('keys/payments:wrap', {
    Plaintext: plain.toString('base64url'),
    additional_authenticated_data: null,
    additional_context: {
      RelativeResourceName: 'x',
      is_key_health_check: null,
      access_reason_context: { Reason: 'GOOGLE_INITIATED_SERVICE' },
    },
    keyPath: 'v0/keys/payments',
    somethingNew: [{}],
  })
  t.equal(wrapped.status, 200)
  for (const aad of [undefined, '', null]) {
    const body = { wrapped_blob: wrapped.body.wrappedBlob, additionalAuthenticatedData: aad }
    t.same((await post('keys/payments:unwrap', body)).body, { plaintext: plain.toString('base64') }, `AAD ${aad}`)
  }
  const url = '/v0/keys/payments:wrap?alt=json'
  const text = JSON.stringify({ plaintext: '' })
  t.equal((await ask(url, { body: text, headers: { ...bearer(), 'content-type': 'text/plain' } })).status, 200)
})

t.test('tokens', async (t) => {
  const { post, bearer, claims, issuer } = await make(t)
  const status = async (headers: Record<string, string>) =>
    (await post('keys/payments:wrap', { plaintext: PLAINTEXT }, headers)).status
  t.equal(await status(bearer({ iss: 'accounts.google.com' })), 200, 'the issuer without https')
  t.equal(await status(bearer({ email: AGENT.toUpperCase() })), 200, 'addresses have no case')
  const forger = rsaKey('google')
  const refused: Readonly<Record<string, Record<string, string>>> = {
    none: {},
    Basic: { authorization: 'Basic dTpw' },
    'no token': { authorization: 'Bearer' },
    'two tokens': { authorization: `${bearer().authorization}, ${bearer().authorization}` },
    'no JWT': { authorization: 'Bearer abc' },
    'another host': bearer({ aud: 'https://other.example.org' }),
    'the host with a port': bearer({ aud: `https://${HOST}:443` }),
    'the host with a path': bearer({ aud: `https://${HOST}/v0/keys/payments` }),
    http: bearer({ aud: `http://${HOST}` }),
    'another issuer': bearer({ iss: 'https://accounts.google.com.evil.example' }),
    expired: bearer({ exp: 1 }),
    'of the future': bearer({ iat: 9e9 }),
    'an address that is not verified': bearer({ email_verified: false }),
    'an address verified by a text': bearer({ email_verified: 'true' }),
    'no address': bearer({ email: undefined }),
    'addresses as a list': bearer({ email: [AGENT] }),
    'signed by another': { authorization: `Bearer ${token(claims(), forger)}` },
    'alg none': { authorization: `Bearer ${token(claims(), GOOGLE, { alg: 'none' })}` },
    'HS256 with the public key': { authorization: `Bearer ${token(claims(), GOOGLE, { alg: 'HS256' })}` },
    PS256: { authorization: `Bearer ${token(claims(), GOOGLE, { alg: 'PS256' })}` },
  }
  for (const [name, headers] of Object.entries(refused)) t.equal(await status(headers), 401, name)
  const answer = await post('keys/payments:wrap', {}, {})
  t.same(answer.body, { code: 16, message: 'The request has no valid Google ID token.', details: [] })
  t.equal(answer.headers['www-authenticate'], 'Bearer')
  issuer.answer = (_request, response) => void response.destroy()
  const { post: later } = await make(t, {
    issuer: { issuer: 'https://accounts.google.com', jwksUri: `${issuer.url}/x` },
  })
  t.equal((await later('keys/payments:wrap', { plaintext: '' })).status, 503, 'nothing is known of the caller')
})

t.test('who may not is told nothing of keys', async (t) => {
  const { post, bearer, audit } = await make(t)
  const stranger = bearer({ email: 'service-3@gcp-sa-ekms.iam.gserviceaccount.com' })
  const kelvin = AGENT.replace('ekms', 'e\u212ams')
  t.equal((await post('keys/payments:wrap', { plaintext: '' }, bearer({ email: kelvin }))).status, 403, 'K is no k')
  const paths = ['keys/payments:wrap', 'keys/nothing:wrap', 'cryptospaces/x:createKey', 'info', 'nonsense']
  const denied = await Promise.all(paths.map((path) => post(path, { plaintext: PLAINTEXT }, stranger)))
  for (const { status, body } of denied)
    t.same({ status, body }, { status: 403, body: { code: 7, message: 'Permission denied.', details: [] } })
  const body = { plaintext: PLAINTEXT }
  const [missing, foreign] = [await post('keys/nothing:wrap', body), await post('keys/others:wrap', body)]
  t.equal(missing.status, 404)
  t.same([foreign.status, foreign.body], [missing.status, missing.body], 'another caller’s is as little there')
  t.equal((await post('keys/others:wrap', body, bearer({ email: OTHER }))).status, 200)
  t.equal((await post('keys/payments:wrap', body, bearer({ email: OTHER }))).status, 404)
  t.equal((await post('keys/gone:wrap', body)).status, 404, 'exposed, and not there')
  const records = audit.records.filter(({ rule }) => rule === 'not-shown')
  t.same(
    records.map(({ exposedKey, decision }) => [exposedKey, decision]),
    [
      ['nothing', 'deny'],
      ['others', 'deny'],
      ['payments', 'deny'],
    ],
  )
  const theirs = await post('keys/others:wrap', body, bearer({ email: OTHER }))
  const wrappedBlob = theirs.body.wrappedBlob
  const foreignBlob = await post('keys/payments:unwrap', { wrappedBlob })
  const noBlob = await post('keys/payments:unwrap', { wrappedBlob: Buffer.alloc(120).toString('base64') })
  t.equal(foreignBlob.status, 400)
  t.same(foreignBlob.body, noBlob.body, 'nor is what another key wrapped known')
})

t.test('justifications', async (t) => {
  const { post, audit } = await make(t)
  const wrap = (context: Json) => post('keys/strict:wrap', { plaintext: PLAINTEXT, ...context })
  t.equal((await wrap(reason('CUSTOMER_INITIATED_ACCESS'))).status, 200)
  t.equal((await wrap(reason('A_REASON_OF_NEXT_YEAR'))).status, 200, 'UNKNOWN is allowed')
  for (const [name, context] of [
    ['another', reason('GOOGLE_INITIATED_SERVICE')],
    ['none: UNAVAILABLE', {}],
    ['empty: REASON_UNSPECIFIED', { additionalContext: { accessReasonContext: {} } }],
    ['said of itself', reason('UNAVAILABLE')],
  ] as const) {
    const { status, body } = await wrap(context)
    t.equal(status, 403, name)
    t.match(body, {
      code: 7,
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [{ field: 'additionalContext.accessReasonContext.reason' }],
        },
      ],
    })
  }
  t.match(
    audit.records.filter(({ rule }) => rule === 'reason').map(({ decision, behalfReason }) => [decision, behalfReason]),
    [
      ['deny', 'GOOGLE_INITIATED_SERVICE'],
      ['deny', 'UNAVAILABLE'],
      ['deny', 'REASON_UNSPECIFIED'],
      ['deny', 'UNAVAILABLE'],
    ],
  )
  const { wrappedBlob } = (await wrap(reason('CUSTOMER_INITIATED_ACCESS'))).body
  const health = reason(undefined, { isKeyHealthCheck: true })
  t.equal((await wrap(health)).status, 200, 'a health check wraps without a reason')
  t.equal((await post('keys/strict:unwrap', { wrappedBlob, ...health })).status, 403, 'and unwraps nothing')
  t.equal((await post('keys/strict:unwrap', { wrappedBlob, ...reason('CUSTOMER_INITIATED_ACCESS') })).status, 200)
})

async function refusals(
  t: Test,
  { post }: Made,
  cases: readonly (readonly [string, string, unknown, number, RegExp])[],
) {
  for (const [name, path, body, status, message] of cases) {
    const answer = await post(path, body)
    t.equal(answer.status, status, name)
    t.match(answer.body.message, message, name)
  }
}

t.test('requests that are wrong', async (t) => {
  const made = await make(t)
  const { wrappedBlob } = (await made.post('keys/payments:wrap', { plaintext: PLAINTEXT })).body
  const bytes = Buffer.from(wrappedBlob, 'base64')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  await refusals(t, made, [
    ['no plaintext', 'keys/payments:wrap', {}, 400, /plaintext: is missing/],
    ['a plaintext that is no text', 'keys/payments:wrap', { plaintext: 1 }, 400, /plaintext: is no text/],
    ['no base64', 'keys/payments:wrap', { plaintext: '*' }, 400, /plaintext: is no base64/],
    ['a field twice', 'keys/payments:wrap', { plaintext: '', Plain_text: '' }, 400, /Plain_text: is there twice/],
    ['no object', 'keys/payments:wrap', [], 400, /body: is no JSON object/],
    ['no JSON', 'keys/payments:wrap', '{', 400, /body: not valid JSON/],
    [
      'a context that is none',
      'keys/payments:wrap',
      { plaintext: '', additionalContext: 'x' },
      400,
      /additionalContext: is no/,
    ],
    [
      'no flag',
      'keys/payments:wrap',
      { plaintext: '', ...reason('x', { isKeyHealthCheck: 1 }) },
      400,
      /isKeyHealthCheck/,
    ],
    ['nothing to unwrap', 'keys/payments:unwrap', {}, 400, /wrappedBlob: is missing/],
    ['other AAD', 'keys/payments:unwrap', { wrappedBlob, additionalAuthenticatedData: AAD }, 400, /wrapped blob or/],
    ['a changed blob', 'keys/payments:unwrap', { wrappedBlob: bytes.toString('base64') }, 400, /wrapped blob or/],
    ['an empty blob', 'keys/payments:unwrap', { wrappedBlob: '' }, 400, /wrapped blob or/],
    ['a use that the key has not', 'keys/signer:wrap', { plaintext: PLAINTEXT }, 400, /can not be used so/],
    ['a method that nobody knows', 'keys/payments:explode', {}, 501, /not implemented/],
    ['confidential wrapping', 'keys/payments:confidentialwrap', {}, 501, /not implemented/],
    ['a path that nothing is at', 'keys/payments', {}, 404, /not there/],
    ['an encoded path', 'keys/%70ayments:wrap', { plaintext: '' }, 404, /not there/],
    ['a path with an empty segment', 'keys//payments:wrap', { plaintext: '' }, 404, /not there/],
    ['no such crypto space', 'cryptospaces/none:createKey', { algorithm: 'EC_SIGN_P256_SHA256' }, 404, /not there/],
    ['a key that Google did not make', 'keys/payments:destroyKey', {}, 501, /not implemented/],
  ])
  t.equal((await made.ask('/v0/keys/payments:wrap', { method: 'GET', headers: made.bearer() })).status, 501)
})

t.test('a key that may not be used is no denial, and trouble that passes neither', async (t) => {
  const made = await make(t)
  const { post, run, audit } = made
  const payments = { by: 'name', ring: RING, name: 'payments' } as const
  const ask = async () => (await post('keys/payments:wrap', { plaintext: PLAINTEXT })).status
  await run('gcp', disableKey, { key: payments })
  t.equal(await ask(), 400)
  await run('gcp', enableKey, { key: payments })
  t.equal(await ask(), 200)
  audit.available = false
  t.equal(await ask(), 503, 'no record, no answer')
  audit.available = true
  await run('aws', scheduleDeletion, { key: payments })
  t.equal(await ask(), 400)
})

t.test('a key manager that is late', async (t) => {
  const never = new Promise<never>(() => {})
  const wrapBackend: KernelOptions['wrapBackend'] = (backend) =>
    new Proxy(backend, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (name === 'encrypt') return () => never
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  const { post } = await make(t, { deadlineMs: 1000 }, { wrapBackend })
  const answer = await post('keys/payments:wrap', { plaintext: PLAINTEXT })
  t.match(answer, { status: 503, body: { code: 14, message: 'The key manager did not answer in time.' } })
})

t.test('strangers are recorded, so many in a time', async (t) => {
  const { post, audit } = await make(t)
  for (let i = 0; i < 70; i++) await post('keys/payments:wrap', { plaintext: PLAINTEXT }, {})
  const records = audit.records.filter(({ outcome }) => outcome === 'unauthenticated')
  t.ok(records.length > 0 && records.length < 70)
  t.match(records[0], { wire: 'cloud/authenticate', decision: 'deny', exposure: 'acme' })
})

t.test('signing', async (t) => {
  const { post } = await make(t)
  const { pem, algorithm } = (await post('keys/signer:getPublicKey', {})).body
  t.equal(algorithm, 'EC_SIGN_P256_SHA256')
  const data = Buffer.from('signed')
  const sha256 = createHash('sha256').update(data).digest('base64')
  for (const body of [{ digest: { sha256 } }, { data: data.toString('base64') }]) {
    const { signature } = (await post('keys/signer:asymmetricSign', body)).body
    t.ok(verify('sha256', data, createPublicKey(pem), Buffer.from(signature, 'base64')), JSON.stringify(body))
  }
  const bad = async (body: unknown) => (await post('keys/signer:asymmetricSign', body)).body.message
  t.match(await bad({}), /digest: either it or data/)
  t.match(await bad({ digest: { sha256 }, data: '' }), /digest: either it or data/)
  t.match(await bad({ digest: {} }), /digest: has one of sha256/)
  t.match(await bad({ digest: { sha512: sha256 } }), /digest: is a sha256/)
  t.match(await bad({ digest: { sha256: 'AAAA' } }), /digest: has 32 bytes/)
  t.equal((await post('keys/payments:asymmetricSign', { digest: { sha256 } })).status, 400)
  t.equal((await post('keys/payments:getPublicKey', {})).status, 400)
})

t.test('coordinated keys', async (t) => {
  const made = await make(t, {
    cryptoSpaces: [
      { name: 'eu', ring: 'space-eu' },
      { name: 'us', ring: 'space-us', callers: [OTHER] },
    ],
  })
  const { post, run, bearer } = made
  await run('gcp', createRing, { name: 'space-eu', shared: true })
  await run('gcp', createRing, { name: 'space-us', shared: true })
  const created = await post('cryptospaces/eu:createKey', {
    algorithm: 'EXTERNAL_SYMMETRIC_ENCRYPTION',
    ...reason('CUSTOMER_INITIATED_ACCESS'),
  })
  t.match(created.body, { keyPath: /^v0\/cryptospaces\/eu\/keys\/[0-9a-f-]{36}$/ })
  const path = created.body.keyPath.replace('v0/', '')
  const wrapped = await post(`${path}:wrap`, { plaintext: PLAINTEXT })
  t.same((await post(`${path}:unwrap`, wrapped.body)).body, { plaintext: PLAINTEXT })
  const signing = await post('cryptospaces/eu:createKey', { algorithm: 'RSA_SIGN_PSS_2048_SHA256' })
  t.match(signing.body.publicKey, { algorithm: 'RSA_SIGN_PSS_2048_SHA256', pem: /BEGIN PUBLIC KEY/ })
  const other = bearer({ email: OTHER })
  t.equal((await post(`${path}:wrap`, { plaintext: PLAINTEXT }, other)).status, 404, 'not to another space’s caller')
  t.equal((await post(`${path.replace('/eu/', '/us/')}:wrap`, { plaintext: PLAINTEXT }, other)).status, 404)
  t.equal((await post('cryptospaces/us:createKey', { algorithm: 'EC_SIGN_P256_SHA256' })).status, 404)
  t.same(
    (await post('cryptospaces/eu:checkCryptoSpacePermissions', { permissions: ['createKey', 'x.wrap', 'root'] })).body,
    {
      permissions: ['createKey', 'x.wrap'],
    },
  )
  t.match((await post('cryptospaces/eu:createKey', { algorithm: 'ROT13' })).body.message, /algorithm: is none/)
  t.same((await post(`${path}:destroyKey`, {})).body, {})
  t.match(await post(`${path}:destroyKey`, {}), { status: 200, body: {} }, 'asked again it is done')
  t.equal((await post(`${path}:unwrap`, wrapped.body)).status, 400, 'out of use at once')
})

t.test('info, and exposures that are replaced', async (t) => {
  const { ask, post, bearer, exposures, settings, issuer } = await make(t)
  const get = (path: string, headers = bearer()) => ask(path, { method: 'GET', headers })
  t.same((await get('/v0/info')).body, { vendor: 'Trefoil', version: '1.2.3' })
  t.equal((await get('/v0/info', {} as never)).status, 401)
  const host = { ...bearer(), host: HOST, origin: 'http://localhost' }
  t.equal((await get('/.well-known/external-key-manager', host)).status, 403, 'dev answers to its own names alone')
  exposures.replace(exposuresOf([{ ...settings, host: 'localhost', keys: settings.keys.slice(1) }]))
  const mine = bearer({ aud: 'https://localhost' })
  t.same((await get('/.well-known/external-key-manager/', mine)).body, { vendor: 'Trefoil', version: '1.2.3' })
  t.equal((await post('keys/payments:wrap', { plaintext: '' }, mine)).status, 404, 'no longer exposed')
  t.equal((await post('keys/signer:getPublicKey', {}, mine)).status, 200)
  issuer.answer = (_request, response) => void response.destroy()
  exposures.replace(exposuresOf([{ ...settings, host: 'localhost', callers: [AGENT, OTHER] }]))
  t.equal(
    (await post('keys/payments:wrap', { plaintext: '' }, mine)).status,
    200,
    'with the keys that were fetched before',
  )
  exposures.replace([])
  t.equal((await post('keys/signer:getPublicKey', {}, mine)).status, 404)
})
