import { constants, generateKeyPairSync, publicDecrypt } from 'node:crypto'
import t from 'tap'
import { b64, makeAzure } from './support.ts'

type Jwk = Record<string, string>
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsaJwk = rsa.privateKey.export({ format: 'jwk' }) as Jwk
const curves = { 'P-256': 'P-256', 'P-384': 'P-384', 'P-521': 'P-521', 'P-256K': 'secp256k1' }
const ecJwk = (crv: keyof typeof curves): Jwk => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: curves[crv] })
  return { ...(privateKey.export({ format: 'jwk' }) as Jwk), crv }
}

t.test('an imported RSA key signs as its owner would', async (t) => {
  const { ask } = await makeAzure()
  const made = await ask('PUT', '/keys/k', { key: { ...rsaJwk, key_ops: ['sign'] }, tags: { a: 'b' } })
  t.equal(made.status, 200)
  t.same(made.body.tags, { a: 'b' })
  t.match(made.body.key, { kty: 'RSA', n: rsaJwk.n, e: 'AQAB', key_ops: ['sign'] })
  for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) t.notOk(member in made.body.key, member)
  const digest = Buffer.alloc(32, 7)
  const { body } = await ask('POST', '/keys/k//sign', { alg: 'RS256', value: b64(digest) })
  const opened = publicDecrypt(
    { key: rsa.publicKey, padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(body.value, 'base64url'),
  )
  t.same(opened.subarray(-32), digest)
})

t.test('imported EC keys on every curve', async (t) => {
  const { ask } = await makeAzure()
  for (const crv of Object.keys(curves) as (keyof typeof curves)[]) {
    const jwk = ecJwk(crv)
    const made = await ask('PUT', `/keys/k-${crv}`, { key: jwk })
    t.equal(made.status, 200, crv)
    t.match(made.body.key, { kty: 'EC', crv, x: jwk.x, y: jwk.y, key_ops: ['sign', 'verify'] })
  }
})

t.test('the same bytes have the same material id; a new version is the current one', async (t) => {
  const { ask, store } = await makeAzure()
  const jwk = ecJwk('P-256')
  await ask('PUT', '/keys/k', { key: jwk })
  await ask('PUT', '/keys/k', { key: ecJwk('P-256') })
  const last = await ask('PUT', '/keys/k', { key: jwk })
  t.equal((await ask('GET', '/keys/k')).body.key.kid, last.body.key.kid)
  const { rows } = await store.page('versions', 'number', [], undefined, 10)
  t.equal(rows.length, 3)
  t.equal(rows[0]?.materialId, rows[2]?.materialId)
  t.not(rows[0]?.materialId, rows[1]?.materialId)
  t.equal((await ask('POST', '/keys/k/rotate')).status, 400, 'no dialect generates material for an imported key')
})

t.test('a wrong key is refused with the member named, and leaves nothing', async (t) => {
  const { ask, store } = await makeAzure()
  const flip = (text = '') => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
  const ec = ecJwk('P-256')
  const other = ecJwk('P-256')
  const wrong: readonly [Jwk, string][] = [
    ...['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name): [Jwk, string] => {
      const { [name]: _, ...rest } = rsaJwk
      return [rest, `key.${name}`]
    }),
    ...['d', 'p', 'q', 'dp', 'dq', 'qi'].map((name): [Jwk, string] => [
      { ...rsaJwk, [name]: flip(rsaJwk[name]) },
      `key.${name}`,
    ]),
    [{ ...rsaJwk, n: 'AQAB' }, 'key.n'],
    [{ ...rsaJwk, e: 'Aw' }, 'key.e'],
    [{ ...rsaJwk, d: '!!' }, 'key.d'],
    [{ ...rsaJwk, key_hsm: 'AAAA' }, 'key.key_hsm'],
    [{ ...ec, crv: 'P-224' }, 'key.crv'],
    [{ ...ec, x: other.x ?? '' }, 'key.x'],
    [{ ...ec, x: other.x ?? '', y: other.y ?? '' }, 'key.d'],
    [{ ...ec, d: b64(Buffer.alloc(32)) }, 'key.d'],
    [{ ...ec, d: b64(Buffer.alloc(32, 255)) }, 'key.d'],
    [{ ...ec, y: b64(Buffer.alloc(31, 1)) }, 'key.y'],
    [{ kty: 'EC', crv: 'P-256', x: ec.x ?? '', y: ec.y ?? '' }, 'key.d'],
    [{ kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'AA' }, 'kty'],
  ]
  for (const [key, field] of wrong) {
    const { status, body } = await ask('PUT', '/keys/k', { key })
    t.equal(status, 400, field)
    t.equal(body.error.code, 'BadParameter')
    t.ok(body.error.message.includes(field), `${field}: ${body.error.message}`)
    for (const secret of [rsaJwk.d, ec.d]) t.notOk(JSON.stringify(body).includes(secret?.slice(0, 16) ?? ''))
  }
  t.match(await ask('PUT', '/keys/k', {}), { status: 400, body: { error: { message: /key/ } } })
  t.match(await ask('PUT', '/keys/k', { key: rsaJwk, Hsm: true }), { status: 400 }, 'no HSM is configured')
  t.equal((await store.page('keys', 'name', [], undefined, 1)).rows.length, 0)
})
