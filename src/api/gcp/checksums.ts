/** CRC32C fields: what a request says of its data is checked, and what an answer carries says so. */
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import { crc32c } from '../codec/crc32c.ts'
import { badField } from './status.ts'

/** Largest plaintext, additional authenticated data and data to sign, bytes. */
export const MAX_DATA = 65_536
/** Largest plaintext and additional authenticated data together, for keys in an HSM. */
const MAX_HSM_DATA = 8192

/** @throws KmsError checksum_mismatch; absent checksums match */
export function verifyChecksum(field: string, data: Uint8Array, checksum: bigint | undefined): void {
  if (checksum !== undefined && checksum !== BigInt(crc32c(data))) throw new KmsError('checksum_mismatch', { field })
}

/** @throws RpcError INVALID_ARGUMENT */
export function checkSize(field: string, data: Uint8Array, limit: number = MAX_DATA): void {
  if (data.length > limit)
    throw badField(field, `The ${field} field is ${data.length} bytes long; the limit is ${limit} bytes.`)
}

/**
 * For a field that is required: empty bytes are bytes that were not sent. Google looks at the key first, and so this is
 * asked by the kernel.
 * @throws KmsError invalid_argument
 */
export function requireBytes(field: string, data: Uint8Array): void {
  if (data.length === 0) throw invalidArgument(field, 'it is required and must not be empty')
}

/**
 * An HSM takes less than software does. Asked by the kernel, which knows where the key is.
 * @throws KmsError plaintext_too_large
 */
export function checkHsmSize({ protection }: Pick<Key, 'protection'>, plaintext: Uint8Array, aad: Uint8Array): void {
  if (protection === 'hsm' && plaintext.length + aad.length > MAX_HSM_DATA) {
    throw new KmsError('plaintext_too_large', { limit: MAX_HSM_DATA, field: 'plaintext' })
  }
}

export const checksumOf = (data: Uint8Array): bigint => BigInt(crc32c(data))
