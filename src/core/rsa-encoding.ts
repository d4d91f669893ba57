/** Signature encodings of RFC 8017 for what node:crypto lacks: RSA over a digest that the caller made. */
import { hash as hashOf, randomBytes, timingSafeEqual } from 'node:crypto'
import { HASH_BYTES, type Hash } from './algorithm.ts'

/** DER of DigestInfo up to the digest (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<Hash, Uint8Array>> = {
  sha1: Buffer.from('3021300906052b0e03021a05000414', 'hex'),
  sha224: Buffer.from('302d300d06096086480165030402040500041c', 'hex'),
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
}

export const digestInfo = (hash: Hash, digest: Uint8Array): Uint8Array => Buffer.concat([DIGEST_INFO[hash], digest])

/** EMSA-PKCS1-v1_5 (section 9.2); `bytes` is the length of the modulus. */
export const emsaPkcs1 = (hash: Hash, digest: Uint8Array, bytes: number): Uint8Array =>
  emsaPkcs1Raw(digestInfo(hash, digest), bytes)

/** The padding alone: `info` is in the place of the DigestInfo, and at least 11 bytes shorter than the modulus. */
export function emsaPkcs1Raw(info: Uint8Array, bytes: number): Uint8Array {
  const encoded = Buffer.alloc(bytes, 0xff)
  encoded.set([0x00, 0x01])
  encoded[bytes - info.length - 1] = 0x00
  encoded.set(info, bytes - info.length)
  return encoded
}

/** The mask generation function of appendix B.2.1. */
export function mgf1(hash: Hash, seed: Uint8Array, length: number): Uint8Array {
  const mask = Buffer.alloc(Math.ceil(length / HASH_BYTES[hash]) * HASH_BYTES[hash])
  const block = Buffer.alloc(seed.length + 4)
  block.set(seed)
  for (let counter = 0, at = 0; at < length; counter += 1, at += HASH_BYTES[hash]) {
    block.writeUInt32BE(counter, seed.length)
    mask.set(hashOf(hash, block, 'buffer'), at)
  }
  return mask.subarray(0, length)
}

export function xorInto(target: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < target.length; i += 1) target[i] = (target[i] ?? 0) ^ (mask[i] ?? 0)
}

/** H' of sections 9.1.1 and 9.1.2. */
const pssHash = (hash: Hash, digest: Uint8Array, salt: Uint8Array): Uint8Array =>
  hashOf(hash, Buffer.concat([Buffer.alloc(8), digest, salt]), 'buffer')

/**
 * EMSA-PSS (section 9.1.1), for moduli of a whole number of bytes: the encoding is as long as the modulus and its top bit
 * is clear. `saltBytes` is at most the modulus less the hash and two; what all three clouds make has the hash's length.
 */
export function emsaPssEncode(
  hash: Hash,
  digest: Uint8Array,
  bytes: number,
  saltBytes: number = HASH_BYTES[hash],
): Uint8Array {
  const length = HASH_BYTES[hash]
  const salt = randomBytes(saltBytes)
  const h = pssHash(hash, digest, salt)
  const encoded = Buffer.alloc(bytes)
  const db = encoded.subarray(0, bytes - length - 1)
  db[db.length - saltBytes - 1] = 0x01
  db.set(salt, db.length - saltBytes)
  xorInto(db, mgf1(hash, h, db.length))
  db[0] = (db[0] ?? 0) & 0x7f
  encoded.set(h, db.length)
  encoded[bytes - 1] = 0xbc
  return encoded
}

/** EMSA-PSS-VERIFY (section 9.1.2); any salt length but the hash's is refused. */
export function emsaPssVerify(hash: Hash, digest: Uint8Array, encoded: Uint8Array): boolean {
  const length = HASH_BYTES[hash]
  const dbLength = encoded.length - length - 1
  const first = encoded[0] ?? 0xff
  if (dbLength < length + 1 || encoded[encoded.length - 1] !== 0xbc || (first & 0x80) !== 0) return false
  const db = Buffer.from(encoded.subarray(0, dbLength))
  const h = encoded.subarray(dbLength, dbLength + length)
  xorInto(db, mgf1(hash, h, dbLength))
  db[0] = (db[0] ?? 0) & 0x7f
  const padding = db.subarray(0, dbLength - length)
  if (padding[padding.length - 1] !== 0x01 || padding.subarray(0, -1).some((byte) => byte !== 0)) return false
  return timingSafeEqual(h, pssHash(hash, digest, db.subarray(dbLength - length)))
}
