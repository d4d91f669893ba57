/**
 * Cloud KMS as a client of the real process: two projects with keys of their own, over TLS, with ID tokens of a Google
 * that this test plays. Written from the reference of Cloud EKM, not from the server.
 */
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Json } from '../oidc/support.ts'
import { rsaKey, token } from '../oidc/support.ts'
import { type Issuer, makeKey, SYMMETRIC, signing, startExposing, startIssuer, written } from './google-side.ts'

const agent = (project: number): string => `service-${project}@gcp-sa-ekms.iam.gserviceaccount.com`
const HOST = 'ekm.example.org'
const seconds = (): number => Math.floor(Date.now() / 1000)

const claims = (change: Json = {}): Json => ({
  iss: 'https://accounts.google.com',
  aud: `https://${HOST}`,
  azp: '108',
  sub: '108',
  email: agent(1),
  email_verified: true,
  iat: seconds(),
  exp: seconds() + 3600,
  ...change,
})

async function start(t: Test) {
  const google: Issuer = await startIssuer(t, 'google-1')
  const issuer = {
    issuer: 'https://accounts.google.com',
    aliases: ['accounts.google.com'],
    jwksUri: `${google.url}/oauth2/v3/certs`,
  }
  const exposure = (name: string, project: number, more: Json) => ({
    protocol: 'cloud-ekm',
    name,
    host: HOST,
    deadlineMs: 10_000,
    prefix: name,
    issuer,
    callers: [agent(project)],
    ...more,
  })
  const { server, ask } = await startExposing(t, [
    exposure('one', 1, {
      keys: [
        { id: 'data', key: 'ekm/data' },
        { id: 'signer', key: 'ekm/signer' },
        { id: 'justified', key: 'ekm/data', reasons: ['CUSTOMER_INITIATED_ACCESS'] },
        { id: 'theirs', key: 'ekm/theirs', callers: [agent(3)] },
      ],
      cryptoSpaces: [{ name: 'made', ring: 'made-by-google' }],
    }),
    exposure('two', 2, { keys: [{ id: 'data', key: 'ekm/theirs' }] }),
  ])
  await makeKey(server, 'ekm', 'data', SYMMETRIC)
  await makeKey(server, 'ekm', 'theirs', SYMMETRIC)
  await makeKey(server, 'ekm', 'signer', signing('RSA_SIGN_PSS_2048_SHA256'))
  await makeKey(server, 'made-by-google', 'unused', SYMMETRIC)
  const bearer = (change: Json = {}, header: Json = {}) => ({
    authorization: `Bearer ${google.sign(claims(change), header)}`,
  })
  const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = bearer()) =>
    ask(path, { body, headers })
  return { google, server, ask, post, bearer }
}

t.test('Cloud KMS and its keys outside', async (t) => {
  const { server, ask, post, bearer } = await start(t)
  const secret = randomBytes(32).toString('base64')
  const aad = Buffer.from('projects/p/key').toString('base64')
  const context = {
    relativeResourceName: 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1',
    accessReasonContext: { reason: 'CUSTOMER_INITIATED_ACCESS' },
  }
  const tokens: string[] = []
  const send = (path: string, body: unknown, change: Json = {}) => {
    const headers = bearer(change)
    tokens.push(headers.authorization.split(' ')[1] ?? '')
    return post(path, body, headers)
  }

  await t.test('what it does with them', async (t) => {
    const health = { ...context, isKeyHealthCheck: true }
    t.equal((await send('/one/keys/data:wrap', { plaintext: secret, additionalContext: health })).status, 200)
    const body = { plaintext: secret, additionalAuthenticatedData: aad, additionalContext: context }
    const { wrappedBlob } = (await send('/one/keys/data:wrap', body)).body
    const back = await send('/one/keys/data:unwrap', { wrappedBlob, additionalAuthenticatedData: aad })
    t.same(back.body, { plaintext: secret })
    t.equal((await send('/one/keys/justified:wrap', body)).status, 200)
    const { pem } = (await send('/one/keys/signer:getPublicKey', {})).body
    const sha256 = createHash('sha256').update('signed').digest('base64')
    const { signature } = (await send('/one/keys/signer:asymmetricSign', { digest: { sha256 } })).body
    const key = { key: createPublicKey(pem), padding: 6, saltLength: 32 }
    t.ok(verify('sha256', Buffer.from('signed'), key, Buffer.from(signature, 'base64')))
    const big = { plaintext: randomBytes(65_536).toString('base64'), additionalAuthenticatedData: aad }
    const whole = await send('/one/keys/data:unwrap', { ...big, ...(await send('/one/keys/data:wrap', big)).body })
    t.same(whole.body, { plaintext: big.plaintext }, 'as much as Cloud KMS encrypts')
    const made = await send('/one/cryptospaces/made:createKey', { algorithm: 'EXTERNAL_SYMMETRIC_ENCRYPTION' })
    const wrapped = (await send(`/${made.body.keyPath}:wrap`, { plaintext: secret })).body
    t.same((await send(`/${made.body.keyPath}:unwrap`, wrapped)).body, { plaintext: secret })
    t.equal((await send(`/${made.body.keyPath}:destroyKey`, {})).status, 200)
    t.equal((await ask('/one/info', { method: 'GET', headers: bearer() })).status, 200)
  })

  await t.test('what it is refused', async (t) => {
    const forger = rsaKey('google-1')
    const good = { plaintext: secret }
    const { wrappedBlob } = (await send('/one/keys/data:wrap', { ...good, additionalAuthenticatedData: aad })).body
    const theirs = (await send('/two/keys/data:wrap', good, { email: agent(2) })).body.wrappedBlob
    const bytes = Buffer.from(wrappedBlob, 'base64')
    bytes[60] = (bytes[60] ?? 0) ^ 0x80
    const wrap = '/one/keys/data:wrap'
    const unwrap = '/one/keys/data:unwrap'
    const reason = (value: string) => ({ ...good, additionalContext: { accessReasonContext: { reason: value } } })
    const forged = (text: string) => ({ authorization: `Bearer ${text}` })
    const cases: readonly (readonly [string, number, string, unknown, Readonly<Record<string, string>>?])[] = [
      ['no token', 401, wrap, good, {}],
      ['another scheme', 401, wrap, good, { authorization: 'Basic dTpw' }],
      ['not a token', 401, wrap, good, forged('x.y.z')],
      ['signed by another', 401, wrap, good, forged(token(claims(), forger))],
      ['alg none', 401, wrap, good, bearer({}, { alg: 'none' })],
      ['alg HS256', 401, wrap, good, bearer({}, { alg: 'HS256' })],
      ['a key of its own in the token', 401, wrap, good, forged(token(claims(), forger, { jwk: forger.jwk }))],
      ['crit', 401, wrap, good, bearer({}, { crit: ['x'], x: 1 })],
      ['an unknown key id', 401, wrap, good, bearer({}, { kid: 'google-2' })],
      ['another audience', 401, wrap, good, bearer({ aud: 'https://elsewhere.example' })],
      ['another issuer', 401, wrap, good, bearer({ iss: 'https://evil.example' })],
      ['expired', 401, wrap, good, bearer({ exp: seconds() - 120 })],
      ['not yet valid', 401, wrap, good, bearer({ nbf: seconds() + 600 })],
      ['an address that is not verified', 401, wrap, good, bearer({ email_verified: false })],
      ['a stranger', 403, wrap, good, bearer({ email: agent(9) })],
      ['a stranger, for nothing', 403, '/one/keys/nothing:wrap', good, bearer({ email: agent(9) })],
      ['the other project’s agent', 403, wrap, good, bearer({ email: agent(2) })],
      ['another agent’s key', 404, '/one/keys/theirs:wrap', good],
      ['a key that is not there', 404, '/one/keys/nothing:wrap', good],
      ['a reason that is not allowed', 403, '/one/keys/justified:wrap', reason('GOOGLE_INITIATED_SERVICE')],
      ['no reason', 403, '/one/keys/justified:wrap', good],
      ['no plaintext', 400, wrap, {}],
      ['no base64', 400, wrap, { plaintext: '!' }],
      ['no JSON', 400, wrap, '{'],
      ['no object', 400, wrap, '[]'],
      ['other AAD', 400, unwrap, { wrappedBlob }],
      ['a changed blob', 400, unwrap, { wrappedBlob: bytes.toString('base64'), additionalAuthenticatedData: aad }],
      ['no blob', 400, unwrap, { additionalAuthenticatedData: aad }],
      ['another project’s blob', 400, unwrap, { wrappedBlob: theirs }],
      ['wrapping with a key that signs', 400, '/one/keys/signer:wrap', good],
      ['a digest of another hash', 400, '/one/keys/signer:asymmetricSign', { digest: { sha512: secret } }],
      ['a method of confidential computing', 501, '/one/keys/data:confidentialwrap', {}],
      ['an unknown method', 501, '/one/keys/data:melt', {}],
      ['destroying what Google did not make', 501, '/one/keys/data:destroyKey', {}],
      ['an unknown crypto space', 404, '/one/cryptospaces/nowhere:createKey', { algorithm: 'EC_SIGN_P256_SHA256' }],
      ['an unknown algorithm', 400, '/one/cryptospaces/made:createKey', { algorithm: 'ROT13' }],
      ['too much', 400, wrap, { plaintext: 'A'.repeat(2_000_000) }],
    ]
    for (const [name, status, path, body, headers] of cases) {
      const answer = await post(path, body, headers ?? bearer())
      t.equal(answer.status, status, name)
      t.match(answer.body, { code: Number, message: String, details: Array }, `${name}: a google.rpc.Status`)
    }
  })

  await t.test('a key that is switched off, and on again', async (t) => {
    const url = `${server.plainUrl}/v1/projects/local/locations/global/keyRings/ekm/cryptoKeys/data/cryptoKeyVersions/1?updateMask=state`
    const set = (state: string) =>
      fetch(url, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ state }) })
    await set('DISABLED')
    const answer = await send('/one/keys/data:wrap', { plaintext: secret })
    t.match(answer, { status: 400, body: { code: 9 } }, 'no 403: Google would disable its key version')
    await set('ENABLED')
    t.equal((await send('/one/keys/data:wrap', { plaintext: secret })).status, 200)
  })

  await t.test('one project learns nothing of the other’s keys', async (t) => {
    const ask = async (path: string) => {
      const { status, body } = await post(path, { plaintext: secret })
      return { status, body }
    }
    t.equal((await ask('/three/keys/data:wrap')).status, 404)
    t.same(await ask('/two/keys/data:wrap'), await ask('/two/keys/missing:wrap'))
    t.same(await ask('/one/keys/theirs:wrap'), await ask('/one/keys/missing:wrap'))
  })

  const text = written(server)
  t.ok(text.includes('cloud/wrap'), 'uses are recorded')
  for (const planted of [secret, ...tokens.map((one) => one.split('.')[2] ?? '')]) t.notOk(text.includes(planted))
})

/** Mann and Whitney's test, by the normal approximation; @returns the two-sided probability of a difference by chance. */
function rankTest(a: readonly number[], b: readonly number[]): number {
  const all = [...a.map((value) => ({ value, first: true })), ...b.map((value) => ({ value, first: false }))]
  all.sort((x, y) => x.value - y.value)
  const sum = all.reduce((total, { first }, index) => total + (first ? index + 1 : 0), 0)
  const [n, m] = [a.length, b.length]
  const u = sum - (n * (n + 1)) / 2
  const z = Math.abs((u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12))
  // Abramowitz and Stegun 7.1.26
  const k = 1 / (1 + (0.3275911 * z) / Math.SQRT2)
  const poly = k * (0.254829592 + k * (-0.284496736 + k * (1.421413741 + k * (-1.453152027 + k * 1.061405429))))
  return poly * Math.exp((-z * z) / 2)
}

async function checkTimes(t: Test): Promise<void> {
  const { post, bearer } = await start(t)
  const headers = bearer()
  const time = async (path: string): Promise<number> => {
    const from = performance.now()
    await post(path, { plaintext: 'AAAA' }, headers)
    return performance.now() - from
  }
  let probability = 0
  // A difference by chance comes once in a hundred runs, three times in a row once in a million.
  for (let run = 0; run < 3 && probability < 0.01; run++) {
    const [foreign, missing]: [number[], number[]] = [[], []]
    for (let pair = 0; pair < 2100; pair++) {
      const order = pair % 2 === 0
      const first = await time(order ? '/one/keys/theirs:wrap' : '/one/keys/absent:wrap')
      const second = await time(order ? '/one/keys/absent:wrap' : '/one/keys/theirs:wrap')
      if (pair < 100) continue
      foreign.push(order ? first : second)
      missing.push(order ? second : first)
    }
    probability = rankTest(foreign, missing)
    t.comment(`run ${run}: p = ${probability.toFixed(4)}`)
  }
  t.ok(probability >= 0.01)
}
if (process.env.TEST_LONG !== undefined) void t.test('nor by the time that it takes', checkTimes)
