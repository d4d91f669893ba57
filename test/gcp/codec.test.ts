import { generateKeyPairSync, randomBytes } from 'node:crypto'
import t from 'tap'
import { decodeBase64, encodeBase64 } from '../../src/api/codec/base64.ts'
import { crc32c } from '../../src/api/codec/crc32c.ts'
import { encodePem } from '../../src/api/codec/pem.ts'
import { rawPublicKey } from '../../src/api/codec/spki.ts'

/** One bit at a time, by the polynomial alone. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

t.test('CRC-32C of RFC 3720 appendix B.4', async (t) => {
  t.equal(crc32c(new Uint8Array(0)), 0)
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  t.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e)
  t.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c)
})

t.test('CRC-32C agrees with the bitwise definition at every length and offset', async (t) => {
  const bytes = randomBytes(96)
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const part = bytes.subarray(start, end)
      if (crc32c(part) !== slowCrc32c(part)) t.fail(`${bytes.toString('hex')} from ${start} to ${end}`)
    }
  }
  t.pass('all of them')
})

t.test('base64 takes both alphabets, padded or not', async (t) => {
  for (let length = 0; length < 70; length++) {
    const bytes = randomBytes(length)
    for (const encoding of ['base64', 'base64url'] as const) {
      const text = bytes.toString(encoding)
      t.same(decodeBase64(text), bytes)
      t.same(decodeBase64(text.replace(/=+$/, '')), bytes)
    }
    t.equal(encodeBase64(bytes), bytes.toString('base64'))
  }
})

t.test('base64 takes nothing else', async (t) => {
  const refused = [
    'A',
    'AAAAA',
    'AA=',
    'AA===',
    '=',
    '====',
    'AA==AA==',
    'A A=',
    'AA\n=',
    'AAA\n',
    'AA%3D',
    'AA=A',
    'AA\0\0',
  ]
  for (const text of [...refused, 'aGVsb\u0141', '\uff21QQ=', 'YQ\u0141\u0141', 'YWI\u{1f511}']) {
    t.equal(decodeBase64(text), undefined, JSON.stringify(text))
  }
})

t.test('a public key is found in its SubjectPublicKeyInfo, and written as PEM', async (t) => {
  const { publicKey } = generateKeyPairSync('ml-dsa-44')
  const der = publicKey.export({ type: 'spki', format: 'der' })
  t.equal(rawPublicKey(der).length, 1312)
  t.same(rawPublicKey(der), der.subarray(-1312))
  t.equal(encodePem('PUBLIC KEY', der), publicKey.export({ type: 'spki', format: 'pem' }))
  t.throws(() => rawPublicKey(der.subarray(0, 100)), TypeError)
})
