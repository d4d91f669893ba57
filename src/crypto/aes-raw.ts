/** AES in the modes whose IV the caller sees. Ciphertexts of GCM are followed by their tag. */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { type AesRow, checkAesLength, checkAesParams, isTooShort } from '../core/aes-input.ts'
import { KmsError } from '../core/error.ts'
import type { EncryptParams } from '../core/ports.ts'
import { openGcm } from './gcm.ts'

/** The first block of RFC 3394 section 2.2.3.1, and what stands for it in RFC 5649 section 3. */
const WRAP_IV = { kw: Buffer.alloc(8, 0xa6), kwp: Buffer.from('a65959a6', 'hex') } as const

const bits = (key: KeyObject): number => (key.symmetricKeySize ?? 0) * 8

/** What OpenSSL calls the mode. */
function cipherName(row: AesRow, key: KeyObject): string {
  switch (row.mode) {
    case 'kw':
      return `id-aes${bits(key)}-wrap`
    case 'kwp':
      return `id-aes${bits(key)}-wrap-pad`
    case 'cbc-pad':
      return `aes-${bits(key)}-cbc`
    default:
      return `aes-${bits(key)}-${row.mode}`
  }
}

const ivOf = (row: AesRow, iv: Uint8Array): Uint8Array =>
  row.mode === 'kw' || row.mode === 'kwp' ? WRAP_IV[row.mode] : iv

export function encrypt(row: AesRow, key: KeyObject, plaintext: Uint8Array, params: EncryptParams): Uint8Array {
  const authTagLength = checkAesParams(row, params)
  checkAesLength(row, plaintext)
  if (row.mode === 'gcm') {
    const cipher = createCipheriv(cipherName(row, key) as CipherGCMTypes, key, params.iv, { authTagLength })
    cipher.setAAD(params.aad)
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  }
  const cipher = createCipheriv(cipherName(row, key), key, ivOf(row, params.iv))
  if (row.mode === 'cbc') cipher.setAutoPadding(false)
  return Buffer.concat([cipher.update(plaintext), cipher.final()])
}

/** @throws KmsError invalid_ciphertext whatever was wrong with it */
export function decrypt(row: AesRow, key: KeyObject, ciphertext: Uint8Array, params: EncryptParams): Uint8Array {
  const tagBytes = checkAesParams(row, params)
  if (row.mode === 'gcm') return openGcm(cipherName(row, key) as CipherGCMTypes, key, ciphertext, params, tagBytes)
  // OpenSSL unwraps nothing to nothing, without an error.
  if (isTooShort(row, ciphertext)) throw new KmsError('invalid_ciphertext')
  const decipher = createDecipheriv(cipherName(row, key), key, ivOf(row, params.iv))
  if (row.mode === 'cbc') decipher.setAutoPadding(false)
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  } catch {
    throw new KmsError('invalid_ciphertext')
  }
}
