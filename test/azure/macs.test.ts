import { createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { generateMac } from '../../src/core/ops/generate-mac.ts'
import { b64, makeAzure } from './support.ts'

const MACS = [
  ['HS256', 256, 'sha256'],
  ['HS384', 384, 'sha384'],
  ['HS512', 512, 'sha512'],
] as const
const SIGN_ONLY = { key_ops: ['sign', 'verify'] }
const digest = (hash: string) => randomBytes(createHmac(hash, '').digest().length)

t.test('an oct key for sign and verify makes MACs', async (t) => {
  const { ask } = await makeAzure()
  for (const [alg, bits, hash] of MACS) {
    const k = randomBytes(bits / 8)
    const made = await ask('PUT', `/keys/${alg}`, { key: { kty: 'oct', k: b64(k), ...SIGN_ONLY } })
    t.match(made.body.key, { kty: 'oct', key_ops: ['sign', 'verify'] })
    t.notOk('k' in made.body.key)
    const value = digest(hash)
    const { status, body } = await ask('POST', `/keys/${alg}//sign`, { alg, value: b64(value) })
    t.equal(status, 200)
    t.equal(body.kid, made.body.key.kid)
    t.equal(body.value, createHmac(hash, k).update(value).digest('base64url'), 'as OpenSSL has it')
    const verify = async (more: object) =>
      (await ask('POST', `/keys/${alg}//verify`, { alg, digest: b64(value), value: body.value, ...more })).body.value
    t.equal(await verify({}), true)
    t.equal(await verify({ digest: b64(digest(hash)) }), false)
    t.equal(await verify({ value: b64(Buffer.from(body.value, 'base64url').subarray(1)) }), false, 'one cut short')
    const short = await ask('POST', `/keys/${alg}//sign`, { alg, value: b64(value.subarray(1)) })
    t.equal(
      short.body.error.message,
      `Invalid length of 'value': ${value.length - 1} bytes. ${alg} requires ${value.length} bytes, encoded with base64url.`,
    )
  }
})

t.test('its size is its one algorithm’s, and it does nothing else', async (t) => {
  const { ask, create } = await makeAzure()
  t.equal((await create('k', { kty: 'oct', ...SIGN_ONLY })).status, 200, '256 bits by default')
  t.equal((await create('k384', { kty: 'oct', key_size: 384, key_ops: ['sign'] })).status, 200)
  const value = b64(Buffer.alloc(48))
  t.match(await ask('POST', '/keys/k//sign', { alg: 'HS384', value }), {
    status: 400,
    body: { error: { message: /incompatible/ } },
  })
  t.equal((await ask('POST', '/keys/k384//sign', { alg: 'HS384', value })).status, 200)
  t.match((await ask('POST', '/keys/k384//verify', { alg: 'HS384', digest: value, value })).body.error, {
    innererror: { code: 'KeyOperationForbidden' },
  })
  await create('rsa', { kty: 'RSA' })
  await create('aes', { kty: 'oct' })
  const short = b64(Buffer.alloc(32))
  for (const [name, alg] of [
    ['rsa', 'HS256'],
    ['k', 'RS256'],
    ['k', 'ES256'],
  ]) {
    const { status, body } = await ask('POST', `/keys/${name}//sign`, { alg, value: short })
    t.match([status, body.error.message], [400, /incompatible/], `${alg} with ${name}`)
  }
  t.equal((await ask('POST', '/keys/aes//sign', { alg: 'HS256', value: short })).status, 403, 'an AES key has no MACs')
  t.equal((await ask('POST', '/keys/k//encrypt', { alg: 'A256GCM', value: short })).status, 403)
  for (const key_ops of [
    ['sign', 'encrypt'],
    ['wrapKey', 'verify'],
  ]) {
    t.match(await create('x', { kty: 'oct', key_ops }), {
      status: 400,
      body: { error: { message: /^Property key_ops / } },
    })
  }
  t.equal((await ask('PATCH', '/keys/k', { key_ops: ['encrypt'] })).status, 400)
  t.match(await create('k', { kty: 'oct' }), { status: 400 }, 'nor does its next version')
  t.equal((await create('k', { kty: 'oct', ...SIGN_ONLY })).status, 200)
  t.equal((await ask('POST', '/keys/k/rotate')).status, 200)
})

t.test('a disabled key verifies, and signs no more', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k', { kty: 'oct', ...SIGN_ONLY })
  const value = b64(Buffer.alloc(32, 7))
  const mac = (await ask('POST', '/keys/k//sign', { alg: 'HS256', value })).body.value
  await ask('PATCH', '/keys/k', { attributes: { enabled: false } })
  t.match((await ask('POST', '/keys/k//sign', { alg: 'HS256', value })).body.error.innererror, { code: 'KeyDisabled' })
  t.equal((await ask('POST', '/keys/k//verify', { alg: 'HS256', digest: value, value: mac })).body.value, true)
  const dates = { nbf: 1000, exp: 2000, enabled: true }
  await ask('PATCH', '/keys/k', { attributes: dates })
  t.match((await ask('POST', '/keys/k//sign', { alg: 'HS256', value })).body.error.innererror, { code: 'KeyExpired' })
  t.equal((await ask('POST', '/keys/k//verify', { alg: 'HS256', digest: value, value: mac })).body.value, true)
})

t.test('MAC keys of other clouds are here, and make the same MACs', async (t) => {
  const { ask, run } = await makeAzure()
  const { key } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'hmac_256' })
  const message = randomBytes(32)
  const input = { key: { by: 'id', id: key.id }, algorithm: 'hmac_sha256', message } as const
  const { mac } = await run('aws', generateMac, input)
  const { body } = await ask('POST', `/keys/${key.id}//sign`, { alg: 'HS256', value: b64(message) })
  t.equal(body.value, b64(mac))
  await ask('PATCH', `/keys/${key.id}`, { key_ops: ['verify'] })
  await t.rejects(run('aws', generateMac, input), { code: 'usage_mismatch' })
})

t.test('versions of the API before 7.6 know none of it', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k', { kty: 'oct', ...SIGN_ONLY })
  const old = 'api-version=7.5'
  t.equal((await ask('GET', `/keys/k?${old}`)).status, 404)
  t.same((await ask('GET', `/keys?${old}`)).body.value, [])
  t.equal((await ask('POST', `/keys/x/create?${old}`, { kty: 'oct', ...SIGN_ONLY })).status, 400)
  t.match((await ask('POST', `/keys/k//sign?${old}`, { alg: 'HS256', value: b64(Buffer.alloc(32)) })).body.error, {
    message: /^Property alg /,
  })
  t.equal((await ask('GET', '/keys/k?api-version=2026-04-01')).body.attributes.key_size, 256)
})

t.test('MAC keys in a token, and in backups', async (t) => {
  const { ask, create } = await makeAzure({}, { token: true })
  t.equal((await create('k', { kty: 'oct-HSM', ...SIGN_ONLY })).body.key.kty, 'oct-HSM')
  const request = { alg: 'HS256', value: b64(Buffer.alloc(32, 1)) }
  const before = await ask('POST', '/keys/k//sign', request)
  const { value } = (await ask('POST', '/keys/k/backup')).body
  await ask('DELETE', '/keys/k')
  await ask('DELETE', '/deletedkeys/k')
  await ask('POST', '/keys/restore', { value })
  t.equal((await ask('POST', '/keys/k//sign', request)).body.value, before.body.value)
})
