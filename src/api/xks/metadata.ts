/**
 * ciphertextMetadata: what decryption has to know of a ciphertext, in at most 20 bytes.
 *
 *   1 | version (4)                of a raw AES key
 *   2 | version (3) | nonce (16)   of a key of envelopes
 *
 * It is bound to the ciphertext with the caller's additional data, each preceded by its length.
 */
import { createHash } from 'node:crypto'
import { KmsError } from '../../core/error.ts'
import type { Detached, DetachedHead } from '../../core/ops/detached.ts'

const RAW = 1
const ENVELOPE = 2
const NONCE_BYTES = 16
export const TAG_BYTES = 16

export function encodeMetadata({ version, nonce }: DetachedHead): Buffer {
  const head = Buffer.alloc(nonce.length === 0 ? 5 : 4)
  if (nonce.length === 0) {
    head[0] = RAW
    head.writeUInt32BE(version, 1)
    return head
  }
  head[0] = ENVELOPE
  head.writeUIntBE(version, 1, 3)
  return Buffer.concat([head, nonce])
}

/** @throws KmsError invalid_ciphertext for what `encodeMetadata` can't have written */
export function decodeMetadata(metadata: Uint8Array): DetachedHead {
  const bytes = Buffer.from(metadata.buffer, metadata.byteOffset, metadata.length)
  if (bytes.length === 5 && bytes[0] === RAW) return { version: bytes.readUInt32BE(1), nonce: new Uint8Array(0) }
  if (bytes.length === 4 + NONCE_BYTES && bytes[0] === ENVELOPE) {
    return { version: bytes.readUIntBE(1, 3), nonce: bytes.subarray(4) }
  }
  throw new KmsError('invalid_ciphertext')
}

/** The data that AES-GCM authenticates (specification, "ciphertextMetadata"). */
export function boundData(aad: Uint8Array, metadata: Uint8Array): Buffer {
  const bound = Buffer.allocUnsafe(3 + aad.length + metadata.length)
  bound.writeUInt16BE(aad.length, 0)
  bound.set(aad, 2)
  bound[2 + aad.length] = metadata.length
  bound.set(metadata, 3 + aad.length)
  return bound
}

/** Ciphertext and tag, which AES-GCM's output is in this order. */
export const splitSealed = (sealed: Uint8Array) => ({
  ciphertext: sealed.subarray(0, sealed.length - TAG_BYTES),
  tag: sealed.subarray(sealed.length - TAG_BYTES),
})

/** The ciphertext data integrity value (appendix C). */
export function integrityValue(aad: Uint8Array, metadata: Uint8Array, { iv, sealed }: Pick<Detached, 'iv' | 'sealed'>) {
  return createHash('sha256').update(aad).update(metadata).update(iv).update(sealed).digest()
}
