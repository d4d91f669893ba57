/** RSA: signatures over messages and digests, OAEP, RSAES-PKCS1. */
import {
  constants,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  publicEncrypt,
  sign,
  webcrypto,
} from 'node:crypto'
import { promisify } from 'node:util'
import { type Algorithm, type AlgorithmRow, type Hash, type KeySpec, maxPlaintext } from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import { digestInfo, emsaPssEncode } from '../core/rsa-encoding.ts'
import { hashedInput, messageOf } from '../core/sign-input.ts'

const signAsync = promisify(sign)

export type RsaSignRow = Extract<AlgorithmRow, { op: 'sign'; scheme: 'rsa-pss' | 'rsa-pkcs1' | 'rsa-pkcs1-raw' }>
export type RsaEncryptRow = Extract<AlgorithmRow, { op: 'encrypt'; scheme: 'rsa-oaep' | 'rsa-pkcs1' }>

/** PSS salts are as long as the hash, which is what all three clouds make and accept. */
export async function signInput(row: RsaSignRow, key: KeyObject, bytes: number, given: SignInput): Promise<Uint8Array> {
  if (row.scheme === 'rsa-pkcs1-raw') {
    return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, messageOf(given))
  }
  const input = hashedInput(given)
  if ('message' in input) {
    return row.scheme === 'rsa-pss'
      ? signAsync(row.hash, input.message, {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        })
      : signAsync(row.hash, input.message, { key, padding: constants.RSA_PKCS1_PADDING })
  }
  return row.scheme === 'rsa-pss'
    ? privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, emsaPssEncode(row.hash, input.digest, bytes))
    : privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(row.hash, input.digest))
}

/** @throws KmsError plaintext_too_large, invalid_argument for associated data, which RSA has no place for */
export function encrypt(
  spec: KeySpec,
  algorithm: Algorithm,
  row: RsaEncryptRow,
  key: KeyObject,
  plaintext: Uint8Array,
  params: EncryptParams,
): Uint8Array {
  requireNoAad(params)
  const limit = maxPlaintext(spec, algorithm) ?? 0
  if (plaintext.length > limit) throw new KmsError('plaintext_too_large', { limit, algorithm })
  const publicKey = createPublicKey(key)
  return row.scheme === 'rsa-oaep'
    ? publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: row.hash }, plaintext)
    : publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, plaintext)
}

/** Node 24's OpenSSL answers wrong PKCS#1 v1.5 padding with random bytes (implicit rejection), not with an error. */
export async function decrypt(
  row: RsaEncryptRow,
  key: KeyObject,
  bytes: number,
  ciphertext: Uint8Array,
  params: EncryptParams,
): Promise<Uint8Array> {
  requireNoAad(params)
  if (ciphertext.length !== bytes) throw new KmsError('invalid_ciphertext')
  try {
    return row.scheme === 'rsa-oaep'
      ? await decryptOaep(row.hash, key, ciphertext)
      : privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, ciphertext)
  } catch {
    throw new KmsError('invalid_ciphertext')
  }
}

const WEB_HASH: Readonly<Record<Hash, string>> = {
  sha1: 'SHA-1',
  sha224: 'SHA-224',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
}

/** By WebCrypto, whose decryption runs in the thread pool; privateDecrypt would hold the event loop for up to 2 ms. */
async function decryptOaep(hash: Hash, key: KeyObject, ciphertext: Uint8Array): Promise<Uint8Array> {
  const cryptoKey = key.toCryptoKey({ name: 'RSA-OAEP', hash: WEB_HASH[hash] }, false, ['decrypt'])
  return new Uint8Array(await webcrypto.subtle.decrypt({ name: 'RSA-OAEP' }, cryptoKey, Buffer.from(ciphertext)))
}

function requireNoAad({ aad }: EncryptParams): void {
  if (aad.length > 0) throw invalidArgument('aad', 'RSA encryption binds no associated data')
}
