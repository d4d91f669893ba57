/** The per-message key, computed again from SP 800-108's text. */
import { createDecipheriv, createHmac, createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { decrypt, encrypt, messageKey } from '../../src/crypto/envelope.ts'
import { NativeEnvelopes } from '../../src/crypto/native.ts'
import { RandomPool } from '../../src/crypto/random-pool.ts'
import { flipped, randomBit, refusal } from '../conformance/backend.ts'
import { addon, addonMissing } from '../support/addon.ts'

t.test('key derivation', async (t) => {
  const key = randomBytes(32)
  const nonce = randomBytes(16)
  const label = Buffer.from('trefoil envelope aes-256-gcm')
  const input = Buffer.concat([
    Buffer.from('00000001', 'hex'),
    label,
    Buffer.alloc(1),
    nonce,
    Buffer.from('00000100', 'hex'),
  ])
  const expected = createHmac('sha256', key).update(input).digest()
  t.equal(Buffer.compare(messageKey(createSecretKey(key), nonce).export(), expected), 0)

  const params = { nonce, iv: randomBytes(12), aad: randomBytes(30) }
  const plaintext = randomBytes(77)
  const sealed = encrypt(createSecretKey(key), plaintext, params)
  const decipher = createDecipheriv('aes-256-gcm', expected, params.iv)
  decipher.setAAD(params.aad)
  decipher.setAuthTag(sealed.subarray(-16))
  const opened = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
  t.equal(Buffer.compare(opened, plaintext), 0, 'and plain AES-256-GCM under it')
})

t.test('the add-on seals and opens alike', { skip: addonMissing }, async (t) => {
  if (addon === undefined) return
  const native = new NativeEnvelopes(addon)
  const [key, other] = [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))]
  for (const length of [0, 1, 15, 16, 17, 64, 4096, 70_000]) {
    const params = { nonce: randomBytes(16), iv: randomBytes(12), aad: randomBytes(length % 50) }
    const plaintext = randomBytes(length)
    const sealed = encrypt(key, plaintext, params, native)
    t.equal(Buffer.compare(sealed, encrypt(key, plaintext, params)), 0, `${length} bytes: the same ciphertext`)
    t.equal(Buffer.compare(decrypt(key, sealed, params, native), plaintext), 0, `${length} bytes: opens`)
    const attempts = {
      'bit flipped': () => decrypt(key, flipped(sealed, randomBit(sealed)), params, native),
      'under another key': () => decrypt(other, sealed, params, native),
      'under another nonce': () => decrypt(key, sealed, { ...params, nonce: randomBytes(16) }, native),
      'under another IV': () => decrypt(key, sealed, { ...params, iv: randomBytes(12) }, native),
      'with other data': () => decrypt(key, sealed, { ...params, aad: randomBytes(51) }, native),
      'cut short': () => decrypt(key, sealed.subarray(0, -1), params, native),
      'shorter than a tag': () => decrypt(key, sealed.subarray(0, 15), params, native),
    }
    for (const [name, attempt] of Object.entries(attempts)) {
      t.equal(await refusal((async () => attempt())()), 'invalid_ciphertext', `${length} bytes: ${name}`)
    }
  }
})

t.test('nonce and IV have one length', async (t) => {
  const key = createSecretKey(randomBytes(32))
  const good = { nonce: randomBytes(16), iv: randomBytes(12), aad: new Uint8Array() }
  const wrong = [
    { nonce: randomBytes(15) },
    { nonce: randomBytes(32) },
    { iv: randomBytes(16) },
    { iv: new Uint8Array() },
  ]
  for (const change of wrong) {
    const params = { ...good, ...change }
    t.equal(await refusal((async () => encrypt(key, randomBytes(4), params))()), 'invalid_argument')
    t.equal(await refusal((async () => decrypt(key, randomBytes(40), params))()), 'invalid_argument')
  }
})

t.test('the pool never hands out a byte twice', async (t) => {
  const pool = new RandomPool()
  const seen = new Set(Array.from({ length: 5000 }, () => Buffer.from(pool.take(16)).toString('hex')))
  t.equal(seen.size, 5000)
  t.equal(pool.take(0).length, 0)
  t.equal(pool.take(5000).length, 5000)
  const counts = new Uint32Array(256)
  for (let i = 0; i < 4096; i += 1) for (const byte of pool.take(64)) counts[byte] = (counts[byte] ?? 0) + 1
  t.ok(
    counts.every((count) => count > 700 && count < 1400),
    'every byte value about 1024 times',
  )
})
