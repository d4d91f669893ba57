/** AES in the modes whose IV the caller sees. Ciphertexts of GCM are followed by their tag. */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import type { AlgorithmRow } from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import type { EncryptParams } from '../core/ports.ts'
import { openGcm } from './gcm.ts'

export type AesRow = Extract<AlgorithmRow, { scheme: 'aes' }>

const BLOCK_BYTES = 16
const TAG_BYTES = { least: 12, most: 16 } as const
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

/** @throws KmsError invalid_argument (iv, aad, tag) */
function checkParams(row: AesRow, params: EncryptParams): number {
  if (params.iv.length !== row.ivBytes) throw invalidArgument('iv', `must be ${row.ivBytes} bytes`)
  if (params.aad.length > 0 && row.mode !== 'gcm') throw invalidArgument('aad', `AES-${row.mode} binds no data`)
  const tagBytes = params.tagBytes ?? TAG_BYTES.most
  if (row.mode === 'gcm' && (tagBytes < TAG_BYTES.least || tagBytes > TAG_BYTES.most)) {
    throw invalidArgument('tag', `must be ${TAG_BYTES.least} to ${TAG_BYTES.most} bytes`)
  }
  return tagBytes
}

/** @throws KmsError invalid_argument (plaintext) for a length that the mode can't take */
function checkLength(row: AesRow, plaintext: Uint8Array): void {
  const { length } = plaintext
  if (row.mode === 'cbc' && length % BLOCK_BYTES !== 0) {
    throw invalidArgument('plaintext', `must be a multiple of ${BLOCK_BYTES} bytes`)
  }
  if (row.mode === 'kw' && (length < 16 || length % 8 !== 0)) {
    throw invalidArgument('plaintext', 'must be 16 bytes or more, a multiple of 8')
  }
  if (row.mode === 'kwp' && length === 0) throw invalidArgument('plaintext', 'must not be empty')
}

/** The shortest output of RFC 3394 section 2.2.1 (two blocks of key data) and of RFC 5649 section 4.1. */
const SHORTEST_WRAPPED = { kw: 24, kwp: 16 } as const

/** OpenSSL unwraps nothing to nothing, without an error. */
const isTooShort = ({ mode }: AesRow, ciphertext: Uint8Array): boolean =>
  (mode === 'kw' || mode === 'kwp') && ciphertext.length < SHORTEST_WRAPPED[mode]

const ivOf = (row: AesRow, iv: Uint8Array): Uint8Array =>
  row.mode === 'kw' || row.mode === 'kwp' ? WRAP_IV[row.mode] : iv

export function encrypt(row: AesRow, key: KeyObject, plaintext: Uint8Array, params: EncryptParams): Uint8Array {
  const authTagLength = checkParams(row, params)
  checkLength(row, plaintext)
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
  const tagBytes = checkParams(row, params)
  if (row.mode === 'gcm') return openGcm(cipherName(row, key) as CipherGCMTypes, key, ciphertext, params, tagBytes)
  if (isTooShort(row, ciphertext)) throw new KmsError('invalid_ciphertext')
  const decipher = createDecipheriv(cipherName(row, key), key, ivOf(row, params.iv))
  if (row.mode === 'cbc') decipher.setAutoPadding(false)
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  } catch {
    throw new KmsError('invalid_ciphertext')
  }
}
