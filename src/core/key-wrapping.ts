/**
 * How key material travels in: encrypted under an RSA key, or under an AES key that comes with it under the RSA key
 * (PKCS#11's CKM_RSA_AES_KEY_WRAP: RSAES-OAEP, then AES-KWP of RFC 5649).
 */
import { createDecipheriv, createPrivateKey, createSecretKey, type KeyObject, webcrypto } from 'node:crypto'
import { HASH_BYTES, type Hash, type KeySpec, type KeySpecRow, specRow } from './algorithm.ts'
import { KmsError } from './error.ts'
import { Secret } from './secret.ts'

export const KEY_WRAPPINGS = {
  rsa_oaep_sha1: { hash: 'sha1', aes: false },
  rsa_oaep_sha256: { hash: 'sha256', aes: false },
  rsa_aes_sha1: { hash: 'sha1', aes: true },
  rsa_aes_sha256: { hash: 'sha256', aes: true },
} as const satisfies Record<string, { readonly hash: Hash; readonly aes: boolean }>
export type KeyWrapping = keyof typeof KEY_WRAPPINGS

/** RSA keys that wrap. */
export const WRAPPING_KEY_SPECS = ['rsa_2048', 'rsa_3072', 'rsa_4096'] as const satisfies readonly KeySpec[]
export type WrappingKeySpec = (typeof WRAPPING_KEY_SPECS)[number]

const WEB_HASH = { sha1: 'SHA-1', sha256: 'SHA-256' } as const
const AES_KEY_BYTES: readonly number[] = [16, 24, 32]
const KWP_IV = Buffer.from('a65959a6', 'hex')
/** One semiblock of data (RFC 5649 section 4.1): OpenSSL unwraps nothing to nothing, without an error. */
const SHORTEST_WRAPPED = 16

/** About the scalar and the two coordinates of a PKCS#8 private key, its DER takes this many bytes at most. */
const EC_DER_BYTES = 44

/** Bytes that material of a spec takes on its way; what is small on any account is 0. */
function materialBytes(row: KeySpecRow): number {
  if (row.type === 'rsa') return Number.POSITIVE_INFINITY
  return row.type === 'ec' ? 3 * row.coordinate + EC_DER_BYTES : 0
}

/** Whether material of the spec can be wrapped so at all: a private key may be larger than what RSA encrypts. */
export function canWrap(wrapping: KeyWrapping, wrappingKey: WrappingKeySpec, spec: KeySpec): boolean {
  const { hash, aes } = KEY_WRAPPINGS[wrapping]
  const row = specRow(wrappingKey)
  return aes || (row.type === 'rsa' && materialBytes(specRow(spec)) <= row.bits / 8 - 2 * HASH_BYTES[hash] - 2)
}

/** By WebCrypto, whose decryption runs in the thread pool. */
async function decryptOaep(hash: keyof typeof WEB_HASH, key: KeyObject, ciphertext: Uint8Array): Promise<Buffer> {
  const cryptoKey = key.toCryptoKey({ name: 'RSA-OAEP', hash: WEB_HASH[hash] }, false, ['decrypt'])
  return Buffer.from(await webcrypto.subtle.decrypt({ name: 'RSA-OAEP' }, cryptoKey, Buffer.from(ciphertext)))
}

function unwrapKwp(key: Buffer, wrapped: Uint8Array): Buffer {
  if (!AES_KEY_BYTES.includes(key.length) || wrapped.length < SHORTEST_WRAPPED) throw new KmsError('invalid_ciphertext')
  const decipher = createDecipheriv(`id-aes${key.length * 8}-wrap-pad`, createSecretKey(key), KWP_IV)
  return Buffer.concat([decipher.update(wrapped), decipher.final()])
}

async function unwrap(wrapping: KeyWrapping, key: KeyObject, wrapped: Uint8Array): Promise<Buffer> {
  const { hash, aes } = KEY_WRAPPINGS[wrapping]
  if (!aes) return decryptOaep(hash, key, wrapped)
  const rsaBytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  const carrier = await decryptOaep(hash, key, wrapped.subarray(0, rsaBytes))
  try {
    return unwrapKwp(carrier, wrapped.subarray(rsaBytes))
  } finally {
    carrier.fill(0)
  }
}

/**
 * The material in `wrapped`. `pkcs8`: the RSA private key, DER.
 * @throws KmsError invalid_ciphertext whatever was wrong with it
 */
export async function unwrapMaterial(wrapping: KeyWrapping, pkcs8: Buffer, wrapped: Uint8Array): Promise<Secret> {
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  try {
    return new Secret(await unwrap(wrapping, key, wrapped))
  } catch (cause) {
    throw new KmsError('invalid_ciphertext', {}, { cause })
  }
}
