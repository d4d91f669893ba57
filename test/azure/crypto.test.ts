import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  verify as verifyMessage,
} from 'node:crypto'
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { disableKey } from '../../src/core/ops/set-key-enabled.ts'
import { b64, makeAzure } from './support.ts'

const MESSAGE = Buffer.from('the message')
const digest = (hash: string): string => b64(createHash(hash).update(MESSAGE).digest())

/** Node spells P-256K as OpenSSL does. */
const publicKey = ({ kty = '', crv = '', ...numbers }: Record<string, string>): KeyObject => {
  const names = { kty: kty.slice(0, 3), ...(crv !== '' && { crv: crv.replace('P-256K', 'secp256k1') }) }
  return createPublicKey({ key: { ...numbers, ...names }, format: 'jwk' })
}

const SIGNATURES = [
  ['ES256', 'sha256', { kty: 'EC', crv: 'P-256' }],
  ['ES256K', 'sha256', { kty: 'EC', crv: 'P-256K' }],
  ['ES384', 'sha384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', 'sha512', { kty: 'EC', crv: 'P-521' }],
  ['RS256', 'sha256', { kty: 'RSA' }],
  ['RS384', 'sha384', { kty: 'RSA' }],
  ['RS512', 'sha512', { kty: 'RSA' }],
  ['PS256', 'sha256', { kty: 'RSA' }],
  ['PS384', 'sha384', { kty: 'RSA' }],
  ['PS512', 'sha512', { kty: 'RSA' }],
] as const

const signatureOptions = (alg: string) =>
  alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { dsaEncoding: 'ieee-p1363' as const }

t.test('every signature verifies outside, here, and nowhere once touched', async (t) => {
  const { create, ask } = await makeAzure()
  for (const [alg, hash, spec] of SIGNATURES) {
    const { key } = (await create(`k-${alg}`, spec)).body
    const value = digest(hash)
    const signed = await ask('POST', `/keys/k-${alg}//sign`, { alg, value })
    t.match(signed, { status: 200, body: { kid: key.kid } }, alg)
    const signature = Buffer.from(signed.body.value, 'base64url')
    const outside = { key: publicKey(key), ...signatureOptions(alg) }
    t.ok(verifyMessage(hash, MESSAGE, outside, signature), `${alg} by OpenSSL`)
    const path = new URL(key.kid).pathname
    const verified = async (body: object) => (await ask('POST', `${path}/verify`, { alg, digest: value, ...body })).body
    t.same(await verified({ value: b64(signature) }), { value: true }, `${alg} by the service`)
    signature[5] = (signature[5] ?? 0) ^ 1
    t.same(await verified({ value: b64(signature) }), { value: false }, `${alg}, a bit flipped`)
    t.same(await verified({ value: '' }), { value: false }, `${alg}, no signature`)
    t.same(await verified({ value: b64(randomBytes(signature.length)) }), { value: false }, `${alg}, noise`)
  }
})

t.test('a digest has the length of its hash', async (t) => {
  const { create, ask } = await makeAzure()
  await create('k')
  const answer = await ask('POST', '/keys/k/sign', { alg: 'ES256', value: b64(randomBytes(44)) })
  t.match(answer, { status: 400, body: { error: { code: 'BadParameter' } } })
  t.equal(
    answer.body.error.message,
    "Invalid length of 'value': 44 bytes. ES256 requires 32 bytes, encoded with base64url.",
  )
  const verify = await ask('POST', '/keys/k/verify', { alg: 'ES256', digest: '', value: '' })
  t.equal(
    verify.body.error.message,
    "Invalid length of 'digest': 0 bytes. ES256 requires 32 bytes, encoded with base64url.",
  )
})

t.test('an algorithm is for its type and its curve', async (t) => {
  const { create, ask } = await makeAzure()
  await create('p256')
  await create('p256k', { kty: 'EC', crv: 'P-256K' })
  await create('rsa', { kty: 'RSA' })
  const refused = [
    ['p256', 'ES256K'],
    ['p256k', 'ES256'],
    ['p256', 'ES384'],
    ['p256', 'RS256'],
    ['rsa', 'ES256'],
    ['rsa', 'RSNULL'],
    ['rsa', 'HS256'],
    ['rsa', 'none'],
    ['rsa', 'constructor'],
  ]
  for (const [name, alg = ''] of refused) {
    const value = b64(randomBytes(alg === 'ES384' ? 48 : 32))
    const answer = await ask('POST', `/keys/${name}/sign`, { alg, value })
    t.match(answer, { status: 400, body: { error: { code: 'BadParameter' } } }, `${name} ${alg}`)
  }
  const aes = await ask('POST', '/keys/rsa/encrypt', { alg: 'A256GCM', value: 'AAAA' })
  t.match(aes, { status: 400, body: { error: { code: 'BadParameter' } } })
  const ec = await ask('POST', '/keys/p256/encrypt', { alg: 'RSA-OAEP', value: 'AAAA' })
  t.match(ec.status, 403, 'an EC key has no such operation')
})

const ENCRYPTIONS = [
  ['RSA-OAEP', 190, { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }],
  ['RSA-OAEP-256', 190, { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }],
  ['RSA1_5', 245, { padding: constants.RSA_PKCS1_PADDING }],
] as const

t.test('encryption and wrapping, by the service and by the public key outside', async (t) => {
  const { create, ask } = await makeAzure()
  const { key } = (await create('k', { kty: 'RSA' })).body
  const path = new URL(key.kid).pathname
  for (const [alg, size, options] of ENCRYPTIONS) {
    for (const [forth, back] of [
      ['encrypt', 'decrypt'],
      ['wrapkey', 'unwrapkey'],
    ]) {
      const plain = b64(randomBytes(size))
      const made = await ask('POST', `${path}/${forth}`, { alg, value: plain })
      t.match(made, { status: 200, body: { kid: key.kid } }, `${alg} ${forth}`)
      t.equal(made.body.value.length, 342)
      const opened = await ask('POST', `/keys/k//${back}`, { alg, value: made.body.value })
      t.same(opened.body, { kid: key.kid, value: plain }, `${alg} ${back}`)
      const outside = publicEncrypt({ key: publicKey(key), ...options }, Buffer.from(plain, 'base64url'))
      t.equal(
        (await ask('POST', `/keys/k/${back}`, { alg, value: b64(outside) })).body.value,
        plain,
        `${alg} from outside`,
      )
    }
    const long = await ask('POST', `${path}/encrypt`, { alg, value: b64(randomBytes(260)) })
    t.match(long, { status: 400, body: { error: { code: 'BadParameter', message: /^Invalid length of 'value'/ } } })
  }
})

t.test('every failed decryption looks the same', async (t) => {
  const { create, ask } = await makeAzure()
  await create('k', { kty: 'RSA' })
  const alg = 'RSA-OAEP-256'
  const { value } = (await ask('POST', '/keys/k/encrypt', { alg, value: 'AAAA' })).body
  const flipped = Buffer.from(value, 'base64url')
  flipped[100] = (flipped[100] ?? 0) ^ 1
  const foreign = publicEncrypt(
    { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey, oaepHash: 'sha256' },
    Buffer.from('x'),
  )
  const bodies = []
  for (const bytes of [
    flipped,
    foreign,
    Buffer.alloc(256),
    Buffer.alloc(0),
    Buffer.alloc(255, 1),
    Buffer.alloc(256, 255),
  ]) {
    const answer = await ask('POST', '/keys/k/decrypt', { alg, value: b64(bytes) })
    t.equal(answer.status, 400)
    bodies.push(JSON.stringify(answer.body))
  }
  bodies.push(JSON.stringify((await ask('POST', '/keys/k/decrypt', { alg: 'RSA-OAEP', value })).body))
  t.same(new Set(bodies), new Set(['{"error":{"code":"BadParameter","message":"The parameter is incorrect."}}']))
})

t.test('key_ops bind', async (t) => {
  const { create, ask } = await makeAzure()
  await create('k', { kty: 'RSA', key_ops: ['verify', 'wrapKey'] })
  const value = b64(randomBytes(32))
  const allowed = await ask('POST', '/keys/k/wrapkey', { alg: 'RSA-OAEP', value })
  t.equal(allowed.status, 200)
  for (const [op = '', alg] of [
    ['sign', 'RS256'],
    ['encrypt', 'RSA-OAEP'],
    ['decrypt', 'RSA-OAEP'],
    ['unwrapkey', 'RSA-OAEP'],
  ]) {
    const answer = await ask('POST', `/keys/k/${op}`, {
      alg,
      value: op === 'sign' ? value : allowed.body.value.slice(0, 40),
    })
    t.match(
      answer,
      { status: 403, body: { error: { code: 'Forbidden', innererror: { code: 'KeyOperationForbidden' } } } },
      op,
    )
    t.equal(answer.body.error.message, `Operation ${op} is not permitted on this key.`)
  }
})

t.test('outside its dates a key signs, encrypts and wraps no more, but verifies, decrypts and unwraps', async (t) => {
  const { create, ask, clock } = await makeAzure()
  const now = Math.floor(clock.now() / 1000)
  const value = b64(randomBytes(32))
  const all = async (name: string) => {
    const status = async (op: string, body: object) => (await ask('POST', `/keys/${name}/${op}`, body)).status
    const wrapped = ciphertext
    return [
      await status('sign', { alg: 'RS256', value }),
      await status('encrypt', { alg: 'RSA-OAEP', value }),
      await status('wrapkey', { alg: 'RSA-OAEP', value }),
      await status('verify', { alg: 'RS256', digest: value, value }),
      await status('decrypt', { alg: 'RSA-OAEP', value: wrapped }),
      await status('unwrapkey', { alg: 'RSA-OAEP', value: wrapped }),
    ]
  }
  await create('k', { kty: 'RSA', attributes: { nbf: now - 10, exp: now + 10 } })
  const ciphertext: string = (await ask('POST', '/keys/k/encrypt', { alg: 'RSA-OAEP', value })).body.value
  t.same(await all('k'), [200, 200, 200, 200, 200, 200])
  clock.time += 10_000
  t.same(await all('k'), [403, 403, 403, 200, 200, 200])
  t.match((await ask('POST', '/keys/k/sign', { alg: 'RS256', value })).body.error.innererror.code, 'KeyExpired')
  clock.time -= 30_000
  t.same(await all('k'), [403, 403, 403, 200, 200, 200])
  t.match((await ask('POST', '/keys/k/sign', { alg: 'RS256', value })).body.error.innererror.code, 'KeyNotYetValid')
})

t.test('disabled in Azure, a key still verifies, encrypts and wraps there; disabled elsewhere, nothing', async (t) => {
  const { create, ask, run } = await makeAzure()
  const value = b64(randomBytes(32))
  const statuses = async (name: string) => {
    const made = []
    for (const op of ['encrypt', 'wrapkey', 'decrypt', 'unwrapkey', 'sign']) {
      const alg = op === 'sign' ? 'RS256' : 'RSA-OAEP'
      made.push((await ask('POST', `/keys/${name}/${op}`, { alg, value })).status)
    }
    made.push((await ask('POST', `/keys/${name}/verify`, { alg: 'RS256', digest: value, value })).status)
    return made
  }
  await create('off', { kty: 'RSA', attributes: { enabled: false } })
  t.same(await statuses('off'), [200, 200, 403, 403, 403, 200])
  const refused = await ask('POST', '/keys/off/sign', { alg: 'RS256', value })
  t.match(refused.body.error, { code: 'Forbidden', innererror: { code: 'KeyDisabled' } })
  const { key } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'rsa_2048', purpose: 'sign_verify' })
  await run('aws', disableKey, { key: { by: 'id', id: key.id } })
  const aws = await statuses(key.id)
  t.ok(
    aws.every((status) => status === 403),
    String(aws),
  )
  t.equal((await ask('GET', `/keys/${key.id}`)).body.attributes.enabled, false)
})

t.test('without a version the current one is meant, and no other', async (t) => {
  const { create, ask } = await makeAzure()
  const first = new URL((await create('k')).body.key.kid).pathname
  const value = digest('sha256')
  const old = (await ask('POST', `${first}/sign`, { alg: 'ES256', value })).body
  const second = (await create('k')).body.key.kid
  t.equal((await ask('POST', '/keys/k/sign', { alg: 'ES256', value })).body.kid, second)
  const verify = async (path: string) =>
    (await ask('POST', path, { alg: 'ES256', digest: value, value: old.value })).body.value
  t.equal(await verify(`${first}/verify`), true)
  t.equal(await verify('/keys/k/verify'), false)
})

t.test('bodies of key operations', async (t) => {
  const { create, ask } = await makeAzure()
  await create('k')
  const value = digest('sha256')
  const bad: unknown[] = ['', '{}', { alg: 'ES256' }, { value }, { alg: 7, value }, { alg: 'ES256', value: 7 }]
  bad.push({ alg: 'ES256', value: `${value}=` }, { alg: 'ES256', value: `${value.slice(1)}+` }, { alg: null, value })
  for (const body of bad) {
    const answer = await ask('POST', '/keys/k/sign', body)
    t.match(answer, { status: 400, body: { error: { code: 'BadParameter' } } }, JSON.stringify(body))
  }
  t.equal((await ask('POST', '/keys/k/sign', { alg: 'ES256', value, surprise: 1 })).status, 200)
  const big = await ask('POST', '/keys/k/sign', { alg: 'ES256', value: 'A'.repeat(2_000_000) })
  t.match(big, { status: 413, body: { error: { code: 'RequestTooLarge' } } })
})
