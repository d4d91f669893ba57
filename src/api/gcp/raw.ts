/** What raw encryption and decryption ask of a request, by the mode of the version's algorithm. */
import { type AesMode, type Algorithm, algorithmRow } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'

const BLOCK_BYTES = 16
/** SP 800-38D section 5.2.1.2, less its tags for special applications. */
const TAG_BYTES = { least: 12, most: 16 } as const

export type RawMode = { readonly mode: AesMode; readonly ivBytes: number; readonly tagBytes: number }

export function rawMode(algorithm: Algorithm): RawMode {
  const row = algorithmRow(algorithm)
  if (row.scheme !== 'aes') throw new KmsError('internal')
  return { mode: row.mode, ivBytes: row.ivBytes, tagBytes: row.mode === 'gcm' ? TAG_BYTES.most : 0 }
}

/** @throws KmsError invalid_argument */
export function checkIv({ ivBytes }: RawMode, iv: Uint8Array): void {
  if (iv.length === ivBytes) return
  throw invalidArgument('initializationVector', `it is ${iv.length} bytes long, ${ivBytes} are required`)
}

/** @throws KmsError invalid_argument where the mode has no place for it */
export function checkAad({ mode }: RawMode, aad: Uint8Array): void {
  if (mode === 'gcm' || aad.length === 0) return
  throw invalidArgument('additionalAuthenticatedData', 'the algorithm of the CryptoKeyVersion takes none')
}

/** @throws KmsError invalid_argument; nothing here pads */
export function checkBlocks(field: string, { mode }: RawMode, data: Uint8Array): void {
  if (mode !== 'cbc' || data.length % BLOCK_BYTES === 0) return
  throw invalidArgument(field, `its length must be a multiple of ${BLOCK_BYTES} bytes`)
}

/**
 * The bytes of the tag that a request says its ciphertext ends with; 0 says nothing.
 * @throws KmsError invalid_argument
 */
export function readTagLength({ mode, tagBytes }: RawMode, asked: number): number {
  const { least, most } = TAG_BYTES
  if (asked === 0) return tagBytes
  if (mode === 'gcm' && asked >= least && asked <= most) return asked
  const possible = mode === 'gcm' ? `it must be from ${least} to ${most}` : 'the algorithm makes no tag'
  throw invalidArgument('tagLength', possible)
}
