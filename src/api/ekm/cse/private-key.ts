/** Work with a user's RSA key for the time of one request: S/MIME signatures and data encryption keys of Gmail. */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  timingSafeEqual,
  webcrypto,
} from 'node:crypto'
import { HASH_BYTES, type Hash } from '../../../core/algorithm.ts'
import { digestInfo, emsaPssEncode } from '../../../core/rsa-encoding.ts'
import { decodeBase64 } from '../../codec/base64.ts'
import { badField, CseFault, Denial } from './errors.ts'
import { DECRYPTIONS, SIGNATURES, SPKI_HASHES } from './names.ts'

const MODULUS_BITS = { least: 2048, most: 8192 } as const

function parse(text: string): KeyObject | undefined {
  const der = text.includes('-----BEGIN') ? undefined : decodeBase64(text.replace(/\s/g, ''))
  try {
    return der === undefined
      ? createPrivateKey(text)
      : createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
  } catch {
    return undefined // whatever OpenSSL says of it, it is no key
  }
}

/** PEM, or base64 of PKCS #8. @returns PKCS #8, DER @throws CseFault */
export function readPrivateKey(text: string): Buffer {
  const key = parse(text)
  const bits = key?.asymmetricKeyDetails?.modulusLength ?? 0
  if (key?.asymmetricKeyType !== 'rsa' || bits < MODULUS_BITS.least || bits > MODULUS_BITS.most || bits % 8 !== 0) {
    throw badField('private_key', `is no RSA key of ${MODULUS_BITS.least} bits or more, without a passphrase`)
  }
  return key.export({ format: 'der', type: 'pkcs8' })
}

export type SpkiHash = { readonly hash: string; readonly algorithm: string }

/** Whether the unwrapped key is the one that is meant. @throws CseFault, Denial */
function checkSpki(key: KeyObject, { hash, algorithm }: SpkiHash): void {
  const name = SPKI_HASHES.get(algorithm)
  const given = decodeBase64(hash)
  if (name === undefined) throw badField('spki_hash_algorithm', `is none of ${[...SPKI_HASHES.keys()].join(', ')}`)
  if (given === undefined) throw badField('spki_hash', 'is no base64')
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const expected = createHash(name).update(spki).digest()
  if (given.length === expected.length && timingSafeEqual(given, expected)) return
  throw new Denial('spki', 'the private key is not the one that the token is for')
}

/** @throws CseFault, Denial */
export function openPrivateKey(pkcs8: Buffer, spki: SpkiHash): KeyObject {
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  checkSpki(key, spki)
  return key
}

const bytesOf = (key: KeyObject): number => (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8

export type SignRequest = {
  readonly algorithm: string
  readonly digest: Uint8Array
  readonly saltLength?: number | undefined
}

/** Checked before anything is unwrapped. @throws CseFault */
export function checkSignRequest({ algorithm, digest }: SignRequest): void {
  const row = SIGNATURES.get(algorithm)
  if (row === undefined) throw badField('algorithm', `is none of ${[...SIGNATURES.keys()].join(', ')}`)
  const expected = HASH_BYTES[row.hash]
  if (digest.length !== expected) throw badField('digest', `has ${expected} bytes for ${algorithm}`)
}

/** @throws CseFault */
export function signDigest(key: KeyObject, { algorithm, digest, saltLength }: SignRequest): Uint8Array {
  const row = SIGNATURES.get(algorithm)
  if (row === undefined) throw badField('algorithm', 'is unknown')
  if (row.scheme === 'pkcs1') {
    return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(row.hash, digest))
  }
  const most = bytesOf(key) - digest.length - 2
  if (saltLength !== undefined && saltLength > most) throw badField('rsa_pss_salt_length', `is at most ${most}`)
  const encoded = emsaPssEncode(row.hash, digest, bytesOf(key), saltLength)
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded)
}

export type DecryptRequest = { readonly algorithm: string; readonly ciphertext: Uint8Array; readonly label: Uint8Array }

/** @throws CseFault */
export function checkDecryptRequest({ algorithm, label }: DecryptRequest): void {
  const row = DECRYPTIONS.get(algorithm)
  if (row === undefined) throw badField('algorithm', `is none of ${[...DECRYPTIONS.keys()].join(', ')}`)
  if (row.hash === undefined && label.length > 0) throw badField('rsa_oaep_label', 'is for OAEP alone')
}

const WEB_HASH: Readonly<Partial<Record<Hash, string>>> = { sha1: 'SHA-1', sha256: 'SHA-256', sha512: 'SHA-512' }

/** In the thread pool; privateDecrypt would hold the event loop. */
async function decryptOaep(hash: Hash, key: KeyObject, { ciphertext, label }: DecryptRequest): Promise<Uint8Array> {
  const algorithm = { name: 'RSA-OAEP', hash: WEB_HASH[hash] ?? '' }
  const webKey = key.toCryptoKey(algorithm, false, ['decrypt'])
  const params = { name: 'RSA-OAEP', label: Buffer.from(label) }
  return new Uint8Array(await webcrypto.subtle.decrypt(params, webKey, Buffer.from(ciphertext)))
}

/**
 * Node's OpenSSL answers wrong PKCS #1 v1.5 padding with random bytes (implicit rejection), not with an error.
 * @throws CseFault, one for every failure
 */
export async function decryptKey(key: KeyObject, request: DecryptRequest): Promise<Uint8Array> {
  const row = DECRYPTIONS.get(request.algorithm)
  try {
    if (request.ciphertext.length !== bytesOf(key)) throw new Error('length')
    return row?.hash === undefined
      ? privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, request.ciphertext)
      : await decryptOaep(row.hash, key, request)
  } catch (cause) {
    throw new CseFault('ciphertext', 'the data encryption key can not be decrypted', { cause })
  }
}
