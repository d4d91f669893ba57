/** Opening what AES-GCM sealed: one error whatever was wrong, and nothing of an unproven plaintext stays behind. */
import { type CipherGCMTypes, createDecipheriv, type KeyObject } from 'node:crypto'
import { KmsError } from '../core/error.ts'
import type { EncryptParams } from '../core/ports.ts'

/** `sealed` is ciphertext followed by its tag. @throws KmsError invalid_ciphertext */
export function openGcm(
  cipher: CipherGCMTypes,
  key: KeyObject,
  sealed: Uint8Array,
  { iv, aad }: Pick<EncryptParams, 'iv' | 'aad'>,
  tagBytes: number,
): Buffer {
  const end = sealed.length - tagBytes
  if (end < 0) throw new KmsError('invalid_ciphertext')
  const decipher = createDecipheriv(cipher, key, iv, { authTagLength: tagBytes })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(end))
  const plaintext = decipher.update(sealed.subarray(0, end))
  try {
    decipher.final()
  } catch {
    plaintext.fill(0)
    throw new KmsError('invalid_ciphertext')
  }
  return plaintext
}
