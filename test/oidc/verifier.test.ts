/** Tokens that are taken, and every kind of forgery, against an issuer that publishes its keys over HTTP. */
import { rm, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { TokenFault } from '../../src/api/oidc/fault.ts'
import { KEY_TIMES } from '../../src/api/oidc/key-set.ts'
import { MAX_TOKEN, TokenVerifier, type VerifyOptions } from '../../src/api/oidc/verifier.ts'
import { type IssuerSettings, resolveIssuer } from '../../src/config/issuer.ts'
import { ecKey, type Json, part, rsaKey, serveIssuer, token } from './support.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const AUDIENCE = 'https://kms.example.org'
const key = rsaKey('one')
const other = rsaKey('two')
const elliptic = ecKey('curve')

const claims = (issuer: string, change: Json = {}): Json => ({
  iss: issuer,
  aud: AUDIENCE,
  sub: 'somebody',
  iat: NOW / 1000 - 10,
  exp: NOW / 1000 + 600,
  ...change,
})

type Options = { readonly settings?: Partial<IssuerSettings>; readonly keys?: readonly unknown[] }

async function issuerWith(t: Test, { settings, keys = [key.jwk, elliptic.jwk] }: Options = {}) {
  const server = await serveIssuer(keys)
  t.teardown(() => server.close())
  const config = resolveIssuer({ issuer: server.url, audiences: [AUDIENCE], ...settings }, 'test', true)
  const time = { clock: NOW, monotonic: 0 }
  const failures: unknown[] = []
  const verifier = new TokenVerifier({
    issuers: [config],
    clock: { now: () => time.clock },
    monotonic: () => time.monotonic,
    failed: (_issuer, error) => failures.push(error),
  })
  const outcome = async (text: string, options?: VerifyOptions): Promise<string> => {
    try {
      await verifier.verify(text, options)
      return 'taken'
    } catch (error) {
      if (!(error instanceof TokenFault)) throw error
      for (const secret of text.split('.')) {
        if (secret.length > 8) t.notOk(error.message.includes(secret), 'the fault has nothing of the token')
      }
      return error.kind
    }
  }
  return { server, verifier, time, failures, outcome }
}

t.test('a genuine token', async (t) => {
  const { server, verifier, outcome } = await issuerWith(t)
  const found = await verifier.verify(token(claims(server.url, { email: 'a@example.org' }), key))
  t.same(found, { ...claims(server.url, { email: 'a@example.org' }), aud: [AUDIENCE] })
  t.same(server.requests, ['/.well-known/openid-configuration', '/jwks'])
  t.equal(await outcome(token(claims(server.url, { aud: ['x', AUDIENCE] }), key)), 'taken', 'one of several audiences')
  t.equal(await outcome(token(claims(server.url), key, { typ: 'at+jwt' })), 'taken', 'RFC 9068')
  t.equal(await outcome(token(claims(server.url, { aud: 'mine' }), key), { audiences: ['mine'] }), 'taken')
  t.equal(await outcome(token(claims(server.url), key), { audiences: ['mine'] }), 'audience', 'instead of its own list')
  t.equal(server.requests.length, 2, 'keys are kept')
})

t.test('forgeries', async (t) => {
  const { server, outcome } = await issuerWith(t)
  const good = claims(server.url)
  const [head = '', body = '', signature = ''] = token(good, key).split('.')
  const flipped = Buffer.from(signature, 'base64url')
  flipped[20] = (flipped[20] ?? 0) ^ 1
  const embedded = { jwk: other.jwk }
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    'alg none': [`${part({ alg: 'none', kid: 'one' })}.${body}.`, 'malformed'],
    'alg none with a signature': [`${part({ alg: 'none', kid: 'one' })}.${body}.${signature}`, 'algorithm'],
    'alg NONE': [token(good, key, { alg: 'NONE' }), 'algorithm'],
    'HS256 with the public key': [token(good, key, { alg: 'HS256' }), 'algorithm'],
    'an algorithm that the issuer does not use': [token(good, key, { alg: 'PS256' }), 'algorithm'],
    'RS512, though the key would do': [token(good, key, { alg: 'RS512' }), 'algorithm'],
    'ES256 by a key of the set': [token(good, elliptic, { alg: 'ES256' }), 'algorithm'],
    'RS256 that names the elliptic key': [token(good, key, { kid: 'curve' }), 'signature'],
    'no alg': [`${part({ kid: 'one' })}.${body}.${signature}`, 'malformed'],
    'alg as a list': [token(good, key, { alg: ['RS256'] }), 'malformed'],
    'signed by another, under this kid': [token(good, other, { kid: 'one' }), 'signature'],
    'a kid that is not there': [token(good, other), 'signature'],
    'kid as a number': [token(good, key, { kid: 1 }), 'malformed'],
    'kid as a path': [token(good, key, { kid: '../../etc/passwd' }), 'signature'],
    'an embedded key': [token(good, other, { ...embedded, kid: undefined }), 'malformed'],
    'a URL of keys': [token(good, other, { jku: 'https://evil.example/jwks' }), 'malformed'],
    'a URL of certificates': [token(good, other, { x5u: 'https://evil.example/x' }), 'malformed'],
    'crit with an unknown name': [token(good, key, { crit: ['exp2'], exp2: 1 }), 'malformed'],
    'crit with b64': [token(good, key, { crit: ['b64'], b64: false }), 'malformed'],
    'b64 without crit': [token(good, key, { b64: false }), 'malformed'],
    'an empty crit': [token(good, key, { crit: [] }), 'malformed'],
    compressed: [token(good, key, { zip: 'DEF' }), 'malformed'],
    'a token of another purpose': [token(good, key, { typ: 'logout+jwt' }), 'malformed'],
    'another audience': [token(claims(server.url, { aud: `${AUDIENCE}.evil.example` }), key), 'audience'],
    'the audience with a slash': [token(claims(server.url, { aud: `${AUDIENCE}/` }), key), 'audience'],
    'the audience in capitals': [token(claims(server.url, { aud: AUDIENCE.toUpperCase() }), key), 'audience'],
    'no audience': [token(claims(server.url, { aud: undefined }), key), 'malformed'],
    'an audience that is no text': [token(claims(server.url, { aud: { [AUDIENCE]: 1 } }), key), 'malformed'],
    'no audience in the list': [token(claims(server.url, { aud: [] }), key), 'audience'],
    'another issuer': [token(claims('https://evil.example'), key), 'issuer'],
    'the issuer with a slash': [token(claims(`${server.url}/`), key), 'issuer'],
    'the issuer as a list': [token({ ...good, iss: [server.url] }, key), 'issuer'],
    'no issuer': [token({ ...good, iss: undefined }, key), 'issuer'],
    'the name of a prototype member as issuer': [token(claims('__proto__'), key), 'issuer'],
    expired: [token(claims(server.url, { exp: NOW / 1000 - 61 }), key), 'expired'],
    'without an expiry': [token(claims(server.url, { exp: undefined }), key), 'malformed'],
    'an expiry that is a text': [token(claims(server.url, { exp: '99999999999' }), key), 'malformed'],
    'not yet valid': [token(claims(server.url, { nbf: NOW / 1000 + 61 }), key), 'not_yet_valid'],
    'of the future': [token(claims(server.url, { iat: NOW / 1000 + 61 }), key), 'not_yet_valid'],
    'nbf that is null': [token(claims(server.url, { nbf: null }), key), 'malformed'],
    'claims changed after signing': [`${head}.${part(claims(server.url, { sub: 'root' }))}.${signature}`, 'signature'],
    'a changed signature': [`${head}.${body}.${flipped.toString('base64url')}`, 'signature'],
    'no signature': [`${head}.${body}.`, 'malformed'],
    'a cut signature': [`${head}.${body}.${signature.slice(0, 100)}`, 'signature'],
    'padded base64': [`${head}.${body}.${signature}==`, 'malformed'],
    'four parts': [`${head}.${body}.${signature}.x`, 'malformed'],
    'encrypted (five parts)': [`${head}.x.${body}.${signature}.x`, 'malformed'],
    'a claim twice': [token(`{"iss":"x",${JSON.stringify(good).slice(1)}`, key), 'malformed'],
    'a body that is no JSON': [token('not json', key), 'malformed'],
    'a body that is a list': [token([good], key), 'malformed'],
    'a body that is null': [token('null', key), 'malformed'],
    oversized: [token(claims(server.url, { more: 'x'.repeat(MAX_TOKEN) }), key), 'malformed'],
    empty: ['', 'malformed'],
    dots: ['..', 'malformed'],
  }
  for (const [name, [text, expected]] of Object.entries(cases)) t.equal(await outcome(text), expected, name)
  t.equal(await outcome(token(good, key)), 'taken', 'and the genuine one still is')
})

t.test('keys that are no good', async (t) => {
  const weak = rsaKey('weak', 1024)
  const { server, outcome } = await issuerWith(t, {
    keys: [
      weak.jwk,
      { ...key.jwk, kid: 'for-encryption', use: 'enc' },
      { ...key.jwk, kid: 'twice' },
      { ...other.jwk, kid: 'twice' },
      { kty: 'oct', kid: 'shared', k: 'AAAA', alg: 'HS256' },
      { ...key.privateKey.export({ format: 'jwk' }), kid: 'private' },
      { kty: 'RSA', kid: 'broken', n: '!', e: 'AQAB' },
      null,
    ],
  })
  const good = claims(server.url)
  t.equal(await outcome(token(good, weak)), 'signature', 'a modulus of 1024 bits')
  for (const kid of ['for-encryption', 'twice', 'shared', 'private', 'broken']) {
    t.equal(await outcome(token(good, key, { kid })), 'signature', kid)
  }
  t.equal(await outcome(token(good, key, { kid: undefined })), 'signature', 'no kid where several keys could be meant')
})

t.test('other algorithms, where the issuer uses them', async (t) => {
  const { alg: _, ...plain } = key.jwk
  const { server, outcome } = await issuerWith(t, {
    settings: { algorithms: ['ES256', 'PS256'] },
    keys: [elliptic.jwk, plain],
  })
  t.equal(await outcome(token(claims(server.url), elliptic, { alg: 'ES256' })), 'taken')
  t.equal(await outcome(token(claims(server.url), key, { alg: 'PS256' })), 'taken')
  t.equal(await outcome(token(claims(server.url), key)), 'algorithm', 'RS256 is then none of them')
  t.equal(await outcome(token(claims(server.url), key, { alg: 'PS256', kid: undefined })), 'taken', 'the one that fits')
})

t.test('times are by the given clock, with the skew', async (t) => {
  const { server, time, outcome } = await issuerWith(t, { settings: { clockSkewSeconds: 30 } })
  const text = token(claims(server.url), key)
  time.clock = NOW + 600_000 + 29_000
  t.equal(await outcome(text), 'taken')
  time.clock = NOW + 600_000 + 30_000
  t.equal(await outcome(text), 'expired', 'a token that was taken before as well')
  time.clock = NOW - 10_000 - 31_000
  t.equal(await outcome(text), 'not_yet_valid')
})

t.test('made-up key ids make no fetch each', async (t) => {
  const { server, time, outcome } = await issuerWith(t)
  const good = claims(server.url)
  t.equal(await outcome(token(good, key)), 'taken')
  const before = server.requests.length
  for (let i = 0; i < 50; i++) t.equal(await outcome(token(good, other, { kid: `made-up-${i}` })), 'signature')
  t.equal(server.requests.length, before, 'within the cool-down')
  server.keys = [key.jwk, other.jwk]
  time.monotonic += KEY_TIMES.coolDownMs
  const all = await Promise.all(Array.from({ length: 20 }, () => outcome(token(good, other))))
  t.ok(
    all.every((one) => one === 'taken'),
    'a new key is found after it',
  )
  t.equal(server.requests.length, before + 2, 'by one fetch')
})

t.test('a key that its issuer took back', async (t) => {
  const { server, time, outcome } = await issuerWith(t)
  const text = token(claims(server.url), key)
  t.equal(await outcome(text), 'taken')
  server.keys = [other.jwk]
  time.monotonic += KEY_TIMES.freshMs
  t.equal(await outcome(text), 'signature', 'its tokens are not taken from memory')
})

t.test('an issuer that can not be reached', async (t) => {
  const { server, time, failures, outcome } = await issuerWith(t)
  const text = token(claims(server.url), key)
  server.answer = (_request, response) => void response.writeHead(503).end()
  t.equal(await outcome(text), 'unavailable', 'from the start')
  t.equal(failures.length, 1)
  server.answer = undefined
  t.equal(await outcome(text), 'unavailable', 'within the pause')
  time.monotonic += KEY_TIMES.retryMs
  t.equal(await outcome(text), 'taken')
  server.answer = (_request, response) => void response.destroy()
  time.monotonic += KEY_TIMES.staleMs - 1
  t.equal(await outcome(text), 'taken', 'its keys serve on')
  t.equal(await outcome(token(claims(server.url), other)), 'unavailable', 'nothing is known of a new key')
  time.monotonic += 1
  t.equal(await outcome(text), 'unavailable', 'for a time that is bounded')
})

t.test('answers that are no key set', async (t) => {
  const bodies: Readonly<Record<string, (url: string) => string>> = {
    'no JSON': () => '<html>',
    'no keys': () => '{}',
    'too large': () => JSON.stringify({ keys: [], more: 'x'.repeat(300_000) }),
    'keys that are no list': () => '{"keys":{"one":1}}',
  }
  for (const [name, body] of Object.entries(bodies)) {
    const { server, outcome, failures } = await issuerWith(t)
    server.answer = (request, response) => {
      const discovery = request.url?.includes('openid')
      response.end(
        discovery ? JSON.stringify({ issuer: server.url, jwks_uri: `${server.url}/jwks` }) : body(server.url),
      )
    }
    t.equal(await outcome(token(claims(server.url), key)), 'unavailable', name)
    t.equal(failures.length, 1)
  }
})

t.test('the way to the keys', async (t) => {
  const elsewhere = await serveIssuer([key.jwk])
  t.teardown(() => elsewhere.close())
  const redirecting = await issuerWith(t)
  redirecting.server.answer = (_request, response) =>
    void response.writeHead(302, { location: `${elsewhere.url}/jwks` }).end()
  t.equal(await redirecting.outcome(token(claims(redirecting.server.url), key)), 'unavailable', 'no redirect')
  const lying = await issuerWith(t)
  lying.server.answer = (_request, response) =>
    void response.end(JSON.stringify({ issuer: 'https://other.example', jwks_uri: `${elsewhere.url}/jwks` }))
  t.equal(await lying.outcome(token(claims(lying.server.url), key)), 'unavailable', 'not of this issuer')
  const outside = await issuerWith(t)
  outside.server.answer = (_request, response) =>
    void response.end(JSON.stringify({ issuer: outside.server.url, jwks_uri: 'http://169.254.169.254/jwks' }))
  t.equal(await outside.outcome(token(claims(outside.server.url), key)), 'unavailable', 'not over plain HTTP')
  t.same(elsewhere.requests, [])
})

t.test('keys in a file, read again for a key that is new', async (t) => {
  const path = `${t.testdir()}/keys.json`
  await writeFile(path, JSON.stringify({ keys: [key.jwk] }))
  const issuer = 'https://offline.example'
  const { time, outcome } = await issuerWith(t, { settings: { issuer, aliases: ['offline.example'], jwksFile: path } })
  t.equal(await outcome(token(claims(issuer), key)), 'taken')
  t.equal(await outcome(token(claims('offline.example'), key)), 'taken', 'by its other name')
  await writeFile(path, JSON.stringify({ keys: [other.jwk] }))
  time.monotonic += KEY_TIMES.coolDownMs
  t.equal(await outcome(token(claims(issuer), other)), 'taken')
  await rm(path)
  time.monotonic += KEY_TIMES.staleMs
  t.equal(await outcome(token(claims(issuer), other)), 'unavailable')
})

t.test('settings that contradict themselves', async (t) => {
  const resolve = (settings: Partial<IssuerSettings>, dev = false) =>
    resolveIssuer({ issuer: 'https://issuer.example', ...settings }, 'issuers[0]', dev)
  t.throws(() => resolve({ jwksUri: 'https://a.example', jwksFile: 'b' }), /both jwksUri and jwksFile/)
  t.throws(() => resolve({ jwksUri: 'http://127.0.0.1/keys' }), /issuers\[0\]\.jwksUri is not a URL of https$/)
  t.throws(() => resolve({ jwksUri: 'http://10.0.0.1/keys' }, true), /jwksUri is not a URL of https, or http on loop/)
  t.throws(() => resolve({ issuer: 'accounts.google.com' }), /issuer is no https URL to find keys at/)
  t.match(resolve({}).keys, { kind: 'discovery', url: 'https://issuer.example/.well-known/openid-configuration' })
  t.match(resolve({ jwksUri: 'http://localhost:9/keys' }, true).keys, { kind: 'jwks' })
})
