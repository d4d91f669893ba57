/** RSA encryption, which is public-key work. */
import { constants, type KeyObject, publicEncrypt } from 'node:crypto'
import type { AlgorithmRow } from '../core/algorithm.ts'

export type RsaEncryptionRow = Extract<AlgorithmRow, { op: 'encrypt'; scheme: 'rsa-oaep' | 'rsa-pkcs1' }>

export function encryptRsa(row: RsaEncryptionRow, key: KeyObject, plaintext: Uint8Array): Uint8Array {
  return row.scheme === 'rsa-oaep'
    ? publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: row.hash }, plaintext)
    : publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, plaintext)
}
