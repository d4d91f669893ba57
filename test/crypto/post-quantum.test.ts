/** node:crypto, or what this program and its add-on build on it, against @noble's implementations, both ways. */
import { createSecretKey, hash, randomBytes, randomUUID } from 'node:crypto'
import { ed25519ph } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import { slh_dsa_sha2_128s } from '@noble/post-quantum/slh-dsa.js'
import t from 'tap'
import type { KeySpec } from '../../src/core/algorithm.ts'
import { encapsulate } from '../../src/core/encapsulate.ts'
import type { CryptoBackend, SignInput } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { verify } from '../../src/core/verify.ts'
import { decodeSpki, encodePkcs8 } from '../../src/core/x-wing.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { callContext, equal } from '../conformance/backend.ts'
import { addon } from '../support/addon.ts'

const ringKey = createSecretKey(randomBytes(32))
const backend = new SoftwareBackend({ get: async () => ringKey })
t.teardown(() => backend.close())
/** Opens the other's keys: they are sealed alike. */
const native = addon && new SoftwareBackend({ get: async () => ringKey }, addon)
const backends: readonly CryptoBackend[] = native === undefined ? [backend] : [backend, native]

/** A key from PKCS#8 whose last bytes are `secret` (RFC 9935, 9909 and 8410 in their shortest forms). */
async function imported(spec: KeySpec, head: string, secret: Uint8Array) {
  const home = { ringId: randomUUID(), versionId: randomUUID() }
  const material = new Secret(Uint8Array.from(Buffer.concat([Buffer.from(head, 'hex'), secret])))
  const { ref, spki } = await backend.importKey(spec, material, home, callContext())
  if (spki === undefined) throw new Error('an asymmetric key without a public key')
  return { handle: { ...home, spec, ref }, spki }
}

for (const [spec, last, noble] of [
  ['ml_kem_512', '01', ml_kem512],
  ['ml_kem_768', '02', ml_kem768],
  ['ml_kem_1024', '03', ml_kem1024],
] as const) {
  t.test(spec, async (t) => {
    const seed = randomBytes(64)
    t.comment(`seed ${seed.toString('hex')}`)
    const { publicKey, secretKey } = noble.keygen(seed)
    const { handle, spki } = await imported(spec, `3054020100300b06096086480165030404${last}04428040`, seed)
    t.ok(equal(spki.subarray(-publicKey.length), publicKey), 'the same public key from the same seed')
    const theirs = noble.encapsulate(publicKey)
    t.ok(equal(await backend.decapsulate(handle, 'ml_kem', theirs.cipherText, callContext()), theirs.sharedSecret))
    const ours = encapsulate(spki, spec, 'ml_kem')
    t.ok(equal(noble.decapsulate(ours.ciphertext, secretKey), ours.secret), 'noble opens ours')
  })
}

t.test('x_wing', async (t) => {
  const seed = randomBytes(32)
  t.comment(`seed ${seed.toString('hex')}`)
  const { publicKey, secretKey } = ml_kem768_x25519.keygen(seed)
  const pkcs8 = encodePkcs8(seed)
  const { handle, spki } = await imported('x_wing', pkcs8.subarray(0, -32).toString('hex'), seed)
  t.ok(equal(decodeSpki(spki) ?? new Uint8Array(), publicKey), 'the same public key from the same seed')
  const theirs = ml_kem768_x25519.encapsulate(publicKey)
  t.ok(equal(await backend.decapsulate(handle, 'x_wing', theirs.cipherText, callContext()), theirs.sharedSecret))
  const ours = encapsulate(spki, 'x_wing', 'x_wing')
  t.ok(equal(ml_kem768_x25519.decapsulate(ours.ciphertext, secretKey), ours.secret), 'noble opens ours')
})

for (const [spec, last, noble] of [
  ['ml_dsa_44', '11', ml_dsa44],
  ['ml_dsa_65', '12', ml_dsa65],
  ['ml_dsa_87', '13', ml_dsa87],
] as const) {
  t.test(`${spec} with a context, and over µ`, async (t) => {
    const seed = randomBytes(32)
    t.comment(`seed ${seed.toString('hex')}`)
    const { publicKey, secretKey } = noble.keygen(seed)
    const { handle, spki } = await imported(spec, `3034020100300b06096086480165030403${last}04228020`, seed)
    const message = randomBytes(100)
    for (const context of [new Uint8Array(), randomBytes(255)]) {
      const tr = hash('shake256', publicKey, { outputEncoding: 'buffer', outputLength: 64 })
      const bound = Buffer.concat([tr, Buffer.of(0, context.length), context, message])
      const mu = hash('shake256', bound, { outputEncoding: 'buffer', outputLength: 64 })
      for (const signer of backends) {
        const overMu = await signer.sign(handle, 'ml_dsa_mu', { mu }, callContext())
        t.ok(await verify(spki, spec, 'ml_dsa', { message, context }, overMu), 'node verifies what was made over µ')
        t.equal(noble.verify(overMu, message, publicKey, { context }), true, 'and so does noble')
      }
      const ours = await backend.sign(handle, 'ml_dsa', { message, context }, callContext())
      t.equal(noble.verify(ours, message, publicKey, { context }), true, 'noble verifies ours')
      t.equal(await verify(spki, spec, 'ml_dsa_mu', { mu }, ours), true, 'µ verifies what node made')
      const theirs = noble.sign(message, secretKey, { context })
      t.equal(await verify(spki, spec, 'ml_dsa', { message, context }, theirs), true, 'we verify noble’s')
    }
  })
}

t.test('slh_dsa_sha2_128s', async (t) => {
  const { publicKey, secretKey } = slh_dsa_sha2_128s.keygen()
  const { handle, spki } = await imported('slh_dsa_sha2_128s', '3052020100300b06096086480165030403140440', secretKey)
  t.ok(equal(spki.subarray(-32), publicKey), 'the same public key')
  const message = randomBytes(100)
  const context = randomBytes(3)
  const ours = await backend.sign(handle, 'slh_dsa', { message, context }, callContext())
  t.equal(slh_dsa_sha2_128s.verify(ours, message, publicKey, { context }), true, 'noble verifies ours')
  const theirs = slh_dsa_sha2_128s.sign(message, secretKey, { context })
  t.equal(await verify(spki, 'slh_dsa_sha2_128s', 'slh_dsa', { message, context }, theirs), true)
})

t.test('slh_dsa_sha256: what noble makes of a message and its context is what we make of its digest', async (t) => {
  const { publicKey, secretKey } = slh_dsa_sha2_128s.keygen()
  const { handle, spki } = await imported('slh_dsa_sha2_128s', '3052020100300b06096086480165030403140440', secretKey)
  const noble = slh_dsa_sha2_128s.prehash(sha256)
  const message = Buffer.from('a message')
  const digest = hash('sha256', message, 'buffer')
  const context = Buffer.from('a context')
  const ours = await backend.sign(handle, 'slh_dsa_sha256', { digest, context }, callContext())
  t.equal(noble.verify(ours, message, publicKey, { context }), true, 'noble verifies ours')
  t.equal(noble.verify(ours, message, publicKey), false, 'the context is part of it')
  t.equal(
    slh_dsa_sha2_128s.verify(ours, digest, publicKey, { context }),
    false,
    'it is no pure signature of the digest',
  )
  const theirs = noble.sign(message, secretKey, { context })
  const check = (input: SignInput) => verify(spki, 'slh_dsa_sha2_128s', 'slh_dsa_sha256', input, theirs)
  t.equal(await check({ digest, context }), true, 'we verify noble’s')
  t.equal(await check({ message, context }), true)
  t.equal(await check({ digest }), false)
  t.equal(await verify(spki, 'slh_dsa_sha2_128s', 'slh_dsa', { message, context }, theirs), false, 'nor a pure one')
})

t.test('ed25519_ph', async (t) => {
  const { publicKey, secretKey } = ed25519ph.keygen()
  const { handle, spki } = await imported('ed25519', '302e020100300506032b657004220420', secretKey)
  const message = randomBytes(100)
  const digest = hash('sha512', message, 'buffer')
  const ours = await backend.sign(handle, 'ed25519_ph', { digest }, callContext())
  t.equal(ed25519ph.verify(ours, message, publicKey), true, 'noble verifies ours')
  const theirs = ed25519ph.sign(message, secretKey)
  t.equal(await verify(spki, 'ed25519', 'ed25519_ph', { digest }, theirs), true, 'we verify noble’s')
  t.equal(await verify(spki, 'ed25519', 'ed25519', { message }, theirs), false, 'which is no pure signature')
})
