/**
 * Unpadding of raw RSA results, for tokens that lack the padded mechanism. No branch and no index depends on the padded
 * block until the one decision at the end; JavaScript gives no guarantee beyond that.
 */
import { createHash, createHmac } from 'node:crypto'
import { HASH_BYTES, type Hash } from '../core/algorithm.ts'
import { mgf1, xorInto } from '../core/rsa-encoding.ts'

/** All ones if `value` is 0, else 0. `value` is a non-negative 31-bit integer. */
const maskIfZero = (value: number): number => (value - 1) >> 31
const select = (mask: number, yes: number, no: number): number => (yes & mask) | (no & ~mask)

/** EME-OAEP decoding with an empty label (RFC 8017 section 7.1.2, step 3); undefined if anything is wrong. */
export function unpadOaep(block: Uint8Array, hash: Hash): Uint8Array | undefined {
  const size = HASH_BYTES[hash]
  if (block.length < 2 * size + 2) return undefined
  const seed = Uint8Array.from(block.subarray(1, 1 + size))
  const db = Uint8Array.from(block.subarray(1 + size))
  xorInto(seed, mgf1(hash, db, size))
  xorInto(db, mgf1(hash, seed, db.length))
  const labelHash = createHash(hash).digest()
  let bad = block[0] ?? 1
  for (let i = 0; i < size; i += 1) bad |= (db[i] ?? 0) ^ (labelHash[i] ?? 0)
  let looking = -1
  let start = 0
  for (let i = size; i < db.length; i += 1) {
    const byte = db[i] ?? 0
    const isOne = maskIfZero(byte ^ 1)
    start = select(looking & isOne, i + 1, start)
    looking &= ~isOne
    // Before the 0x01 there may be zeros only.
    bad |= byte & looking
  }
  bad |= looking & 1
  const message = bad === 0 ? Uint8Array.from(db.subarray(start)) : undefined
  db.fill(0)
  seed.fill(0)
  return message
}

const PRF_LENGTHS = 128

/** `length` bytes that only the holder of `key` can foretell. */
function prf(key: Uint8Array, label: string, length: number): Uint8Array {
  const blocks: Uint8Array[] = []
  for (let counter = 0; counter * 32 < length; counter += 1) {
    blocks.push(
      createHmac('sha256', key)
        .update(Buffer.of(counter >> 8, counter & 255))
        .update(label)
        .digest(),
    )
  }
  return Buffer.concat(blocks).subarray(0, length)
}

/** Length of the message that a bad ciphertext decrypts to: the last candidate that fits, as in draft-irtf-cfrg-rsa-guidance. */
function syntheticLength(key: Uint8Array, longest: number): number {
  const candidates = prf(key, 'length', PRF_LENGTHS * 2)
  const bits = 32 - Math.clz32(longest)
  const cut = bits >= 16 ? 0xffff : (1 << bits) - 1
  let length = 0
  for (let i = 0; i < PRF_LENGTHS; i += 1) {
    const candidate = (((candidates[2 * i] ?? 0) << 8) | (candidates[2 * i + 1] ?? 0)) & cut
    // All ones while candidate ≤ longest.
    const fits = ~((longest - candidate) >> 31)
    length = select(fits, candidate, length)
  }
  return length
}

/**
 * EME-PKCS1-v1_5 decoding with implicit rejection: bad padding gives a message that looks random and is always the same
 * for this key and ciphertext, so that there is no padding oracle (Bleichenbacher). `secret` is the key's own and known
 * to nobody without it.
 */
export function unpadPkcs1(block: Uint8Array, ciphertext: Uint8Array, secret: Uint8Array): Uint8Array {
  const size = block.length
  const key = createHmac('sha256', secret).update(ciphertext).digest()
  const synthetic = prf(key, 'message', size)
  const syntheticStart = size - syntheticLength(key, size - 11)
  let bad = (block[0] ?? 1) | ((block[1] ?? 0) ^ 2)
  let looking = -1
  let start = 0
  for (let i = 2; i < size; i += 1) {
    const isZero = maskIfZero(block[i] ?? 0)
    start = select(looking & isZero, i + 1, start)
    looking &= ~isZero
  }
  // At least eight bytes of padding (section 7.2.1), and a zero that ends them.
  bad |= (looking & 1) | (((start - 11) >> 31) & 1)
  const good = maskIfZero(bad)
  const chosen = Uint8Array.from(block, (byte, i) => select(good, byte, synthetic[i] ?? 0))
  const message = chosen.slice(select(good, start, syntheticStart))
  chosen.fill(0)
  return message
}
