import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  hash,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import t from 'tap'
import { unpadOaep, unpadPkcs1 } from '../../src/hsm/unpad.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicKey = createPublicKey(privateKey)
const SIZE = 256
const raw = (ciphertext: Uint8Array) =>
  privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, ciphertext)

t.test('OAEP', async (t) => {
  for (const hash of ['sha1', 'sha256', 'sha512'] as const) {
    const longest = SIZE - 2 * { sha1: 20, sha256: 32, sha512: 64 }[hash] - 2
    for (const length of [0, 1, 16, longest]) {
      const message = randomBytes(length)
      const block = raw(
        publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, message),
      )
      t.same(unpadOaep(block, hash), message, `${hash}, ${length} bytes`)
      const before = Buffer.from(block)
      for (const at of [0, 1, 40, 200, 255]) {
        const damaged = Uint8Array.from(block, (byte, i) => (i === at ? byte ^ 0x10 : byte))
        t.equal(unpadOaep(damaged, hash), undefined, `${hash}, ${length} bytes: byte ${at} changed`)
      }
      t.same(block, before, 'the input stays as it was')
    }
    const labelled = {
      key: publicKey,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: hash,
      oaepLabel: Buffer.from('label'),
    }
    t.equal(unpadOaep(raw(publicEncrypt(labelled, randomBytes(4))), hash), undefined, `${hash}: another label`)
    t.equal(unpadOaep(new Uint8Array(10), hash), undefined, `${hash}: too short`)
    t.equal(unpadOaep(new Uint8Array(SIZE), hash), undefined, `${hash}: zeros`)
  }
})

/** A block 00 02 | padding | 00 | message. */
const blockOf = (padding: Uint8Array, message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(0, 2), padding, Buffer.of(0), message])

const nonZero = (length: number): Buffer => Buffer.from(randomBytes(length).map((byte) => byte | 1))

t.test('PKCS#1 v1.5', async (t) => {
  const [secret, ciphertext] = [Buffer.alloc(32, 1), Buffer.alloc(SIZE, 2)]
  for (const length of [0, 1, 48, SIZE - 11]) {
    const message = randomBytes(length)
    t.same(unpadPkcs1(blockOf(nonZero(SIZE - 3 - length), message), ciphertext, secret), message, `${length} bytes`)
  }
  const message = randomBytes(40)
  const good = blockOf(nonZero(SIZE - 43), message)
  const bad = {
    'first byte': Uint8Array.from(good, (byte, i) => (i === 0 ? 1 : byte)),
    'block type': Uint8Array.from(good, (byte, i) => (i === 1 ? 1 : byte)),
    'seven bytes of padding': blockOf(nonZero(7), randomBytes(SIZE - 10)),
    'no zero at all': Buffer.concat([Buffer.of(0, 2), nonZero(SIZE - 2)]),
  }
  const outcomes = Object.values(bad).map((block) => unpadPkcs1(block, ciphertext, secret))
  for (const [i, name] of Object.keys(bad).entries()) {
    t.same(outcomes[i], outcomes[0], `${name}: the same synthetic message whatever is wrong`)
    t.ok((outcomes[i]?.length ?? SIZE) <= SIZE - 11, `${name}: no longer than a message can be`)
  }
  t.notSame(unpadPkcs1(bad['block type'], Buffer.alloc(SIZE, 3), secret), outcomes[0], 'another for another ciphertext')
  t.notSame(unpadPkcs1(bad['block type'], ciphertext, Buffer.alloc(32, 4)), outcomes[0], 'another for another key')
})

t.test('synthetic lengths look like any', async (t) => {
  const secret = Buffer.alloc(32, 1)
  const ciphertexts = Array.from({ length: 2000 }, (_, n) => hash('sha512', String(n), 'buffer'))
  const lengths = ciphertexts.map((ciphertext) => unpadPkcs1(new Uint8Array(SIZE), ciphertext, secret).length)
  t.ok(Math.max(...lengths) <= SIZE - 11 && Math.max(...lengths) > SIZE - 20, 'up to the longest')
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
  t.ok(Math.abs(mean - (SIZE - 11) / 2) < 12, `evenly: mean ${mean}`)
})
