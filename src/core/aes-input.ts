/** What raw AES asks of its input, in every backend. */
import type { AlgorithmRow } from './algorithm.ts'
import { invalidArgument } from './error.ts'
import type { EncryptParams } from './ports.ts'

export type AesRow = Extract<AlgorithmRow, { scheme: 'aes' }>

const BLOCK_BYTES = 16
const TAG_BYTES = { least: 12, most: 16 } as const

/**
 * Bytes of the tag, where the mode has one.
 * @throws KmsError invalid_argument (iv, aad, tag)
 */
export function checkAesParams(row: AesRow, params: EncryptParams): number {
  if (params.iv.length !== row.ivBytes) throw invalidArgument('iv', `must be ${row.ivBytes} bytes`)
  if (params.aad.length > 0 && row.mode !== 'gcm') throw invalidArgument('aad', `AES-${row.mode} binds no data`)
  const tagBytes = params.tagBytes ?? TAG_BYTES.most
  if (row.mode === 'gcm' && (tagBytes < TAG_BYTES.least || tagBytes > TAG_BYTES.most)) {
    throw invalidArgument('tag', `must be ${TAG_BYTES.least} to ${TAG_BYTES.most} bytes`)
  }
  return tagBytes
}

/** @throws KmsError invalid_argument (plaintext) for a length that the mode can't take */
export function checkAesLength(row: AesRow, plaintext: Uint8Array): void {
  const { length } = plaintext
  if (row.mode === 'cbc' && length % BLOCK_BYTES !== 0) {
    throw invalidArgument('plaintext', `must be a multiple of ${BLOCK_BYTES} bytes`)
  }
  if (row.mode === 'kw' && (length < 16 || length % 8 !== 0)) {
    throw invalidArgument('plaintext', 'must be 16 bytes or more, a multiple of 8')
  }
  if (row.mode === 'kwp' && length === 0) throw invalidArgument('plaintext', 'must not be empty')
}

/** The shortest output: of RFC 3394 section 2.2.1 (two blocks of key data), RFC 5649 section 4.1, a block of padding. */
const SHORTEST: Readonly<Partial<Record<AesRow['mode'], number>>> = { kw: 24, kwp: 16, 'cbc-pad': BLOCK_BYTES }

/** Shorter than anything that the mode comes to. */
export const isTooShort = ({ mode }: AesRow, ciphertext: Uint8Array): boolean =>
  ciphertext.length < (SHORTEST[mode] ?? 0)
