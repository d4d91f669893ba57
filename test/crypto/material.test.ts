/** What the backend seals and what it refuses to import. */
import {
  createPrivateKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto'
import t from 'tap'
import type { KeySpec } from '../../src/core/algorithm.ts'
import { Secret } from '../../src/core/secret.ts'
import { KeyCache } from '../../src/crypto/key-cache.ts'
import { openKey, sealKey } from '../../src/crypto/sealed-key.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { callContext, newHome, refusal } from '../conformance/backend.ts'

const ringKey = createSecretKey(randomBytes(32))
const newBackend = () => new SoftwareBackend({ get: async () => ringKey })
const pkcs8 = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' })
const importing = (spec: KeySpec, bytes: Uint8Array) =>
  refusal(newBackend().importKey(spec, new Secret(Uint8Array.from(bytes)), newHome(), callContext()))

t.test('a blob opens at home only, and whole', async (t) => {
  const home = { ringId: 'a', versionId: 'bc' }
  const material = randomBytes(32)
  const ref = sealKey(ringKey, home, 'aes_256', material)
  t.equal(ref.length, 1 + 12 + 32 + 16, 'version, IV, material, tag')
  t.equal(
    ref.subarray().includes(material[0] ?? 0) && Buffer.from(ref).includes(material),
    false,
    'nothing of it in clear',
  )
  t.equal(Buffer.compare(openKey(ringKey, home, 'aes_256', ref), material), 0, 'opens')
  const opening = (change: () => unknown) => refusal((async () => change())())
  const wrong = {
    'other ring': () => openKey(ringKey, { ...home, ringId: 'b' }, 'aes_256', ref),
    'other version': () => openKey(ringKey, { ...home, versionId: 'b' }, 'aes_256', ref),
    'parts moved between them': () => openKey(ringKey, { ringId: 'ab', versionId: 'c' }, 'aes_256', ref),
    'other spec': () => openKey(ringKey, home, 'hmac_256', ref),
    'other ring key': () => openKey(createSecretKey(randomBytes(32)), home, 'aes_256', ref),
    nothing: () => openKey(ringKey, home, 'aes_256', new Uint8Array()),
    'head only': () => openKey(ringKey, home, 'aes_256', ref.subarray(0, 29)),
  }
  for (const [name, change] of Object.entries(wrong)) t.equal(await opening(change), 'internal', name)
  for (let bit = 0; bit < ref.length * 8; bit += 1) {
    const damaged = Uint8Array.from(ref)
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if ((await opening(() => openKey(ringKey, home, 'aes_256', damaged))) !== 'internal')
      t.fail(`bit ${bit} does not matter`)
  }
})

t.test('a cached key serves its own blob, home and spec only', async (t) => {
  const cache = new KeyCache(2)
  const handle = (versionId: string) => ({ ringId: 'ring', versionId, spec: 'aes_256', ref: randomBytes(61) }) as const
  const [one, two, three] = [handle('1'), handle('2'), handle('3')]
  cache.put(one, ringKey)
  t.equal(cache.get({ ...one, ref: Uint8Array.from(one.ref) }), ringKey, 'equal bytes')
  t.equal(cache.get({ ...one, ref: randomBytes(61) }), undefined, 'other bytes')
  t.equal(cache.get({ ...one, ringId: 'other' }), undefined, 'other ring')
  t.equal(cache.get({ ...one, spec: 'hmac_256' }), undefined, 'other spec')
  cache.put(two, ringKey)
  cache.get(one)
  cache.put(three, ringKey)
  t.equal(cache.get(two), undefined, 'the one used longest ago went')
  t.equal(cache.get(one), ringKey, 'the one used since stayed')
  cache.destroy(one)
  t.equal(cache.get(one), undefined, 'destroyed')
  t.equal(cache.isDestroyed(one), true)
  t.equal(cache.isDestroyed(three), false)
})

t.test('the EC public half that comes along must be its own', async (t) => {
  const der = pkcs8(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey)
  t.equal(await importing('ec_p256', der), 'none', 'as it is')
  const foreign = Buffer.from(der)
  generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    .publicKey.export({ format: 'raw-public' })
    .copy(foreign, der.length - 65)
  t.doesNotThrow(() => createPrivateKey({ key: foreign, format: 'der', type: 'pkcs8' }), 'OpenSSL takes it')
  t.equal(await importing('ec_p256', foreign), 'invalid_argument', 'with the point of another key')
  t.equal(await importing('ec_secp256k1', der), 'invalid_argument', 'another curve of the same size')
  const explicit = generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' })
  t.equal(explicit.privateKey.asymmetricKeyDetails?.namedCurve, 'prime256v1', 'OpenSSL finds the name by itself')
  t.equal(await importing('ec_p256', pkcs8(explicit.privateKey)), 'invalid_argument', 'parameters spelled out')
})

t.test('RSA keys', async (t) => {
  const rsa = (modulusLength: number, publicExponent = 65537) =>
    pkcs8(generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey)
  t.equal(await importing('rsa_2048', rsa(2048)), 'none', 'as it is')
  t.equal(await importing('rsa_2048', rsa(2048, 3)), 'invalid_argument', 'exponent 3')
  t.equal(await importing('rsa_2048', rsa(1024)), 'invalid_argument', '1024 bits')
  t.equal(await importing('rsa_2048', rsa(2056)), 'invalid_argument', '2056 bits')
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey
  t.equal(await importing('rsa_2048', pkcs8(pss)), 'invalid_argument', 'a key for PSS only')
  const whole = rsa(2048)
  // From the end: the coefficient, both CRT exponents, both primes, and the private exponent, each of them in the middle.
  for (const [name, at] of Object.entries({ qi: 60, dq: 190, dp: 320, q: 450, p: 580, d: 750, n: 1050 })) {
    const broken = Buffer.from(whole)
    broken[broken.length - at] = (broken[broken.length - at] ?? 0) ^ 1
    t.equal(await importing('rsa_2048', broken), 'invalid_argument', `a flipped bit in ${name}`)
  }
})

t.test('encodings', async (t) => {
  const key = generateKeyPairSync('ed25519').privateKey
  t.equal(await importing('ed25519', pkcs8(key)), 'none', 'PKCS#8')
  t.equal(await importing('ed25519', Buffer.concat([pkcs8(key), Buffer.from('x')])), 'invalid_argument', 'and more')
  t.equal(
    await importing('ed25519', Buffer.from(key.export({ format: 'pem', type: 'pkcs8' }))),
    'invalid_argument',
    'PEM',
  )
  t.equal(await importing('ed25519', key.export({ format: 'raw-private' })), 'invalid_argument', 'raw')
  const encrypted = key.export({ format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  t.equal(await importing('ed25519', encrypted), 'invalid_argument', 'encrypted')
  const x25519 = generateKeyPairSync('x25519').privateKey
  t.equal(await importing('ed25519', pkcs8(x25519)), 'invalid_argument', 'X25519')
})

t.test('keys outlive the process that made them', async (t) => {
  for (const spec of ['aes_256', 'hmac_384', 'ec_p521', 'ed25519', 'ml_dsa_44', 'rsa_2048'] as const) {
    const home = { ringId: randomUUID(), versionId: randomUUID() }
    const { ref } = await newBackend().generateKey(spec, home, callContext())
    const handle = { ...home, spec, ref }
    const later = newBackend()
    if (spec === 'aes_256') {
      const params = { nonce: randomBytes(16), iv: randomBytes(12), aad: randomBytes(9) }
      const sealed = await newBackend().encrypt(handle, 'envelope_hmac_kdf', randomBytes(5), params, callContext())
      t.equal((await later.decrypt(handle, 'envelope_hmac_kdf', sealed, params, callContext())).length, 5, spec)
    } else if (spec === 'hmac_384') {
      const tags = [newBackend(), later].map((backend) =>
        backend.mac(handle, 'hmac_sha384', Buffer.from('x'), callContext()),
      )
      const [one = Buffer.of(1), two = Buffer.of(2)] = await Promise.all(tags)
      t.equal(Buffer.compare(one, two), 0, spec)
    } else {
      const algorithm = (
        { ec_p521: 'ecdsa_sha512', ed25519: 'ed25519', ml_dsa_44: 'ml_dsa', rsa_2048: 'rsa_pss_sha256' } as const
      )[spec]
      t.ok((await later.sign(handle, algorithm, { message: Buffer.from('x') }, callContext())).length > 0, spec)
    }
  }
})

t.test('a ring key that can’t be had', async (t) => {
  const backend = new SoftwareBackend({
    get: async () => {
      throw new Error('no ring')
    },
  })
  t.equal(await refusal(backend.generateKey('aes_256', newHome(), callContext())), 'internal')
})
