/** X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519, and the combiner of both. */
import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto'

export const SEED_BYTES = 32
export const PUBLIC_BYTES = 1216
const ML_KEM_PUBLIC_BYTES = 1184
const ML_KEM_CIPHERTEXT_BYTES = 1088
const ML_KEM_SEED_BYTES = 64
const LABEL = Buffer.from('\\.//^\\')

/** AlgorithmIdentifier of 1.3.6.1.4.1.62253.25722 in the two structures that hold a key. */
const SPKI_HEAD = Buffer.from('308204d4300d060b2b0601040183e62d81c87a038204c100', 'hex')
const PKCS8_HEAD = Buffer.from('3034020100300d060b2b0601040183e62d81c87a0420', 'hex')

export const encodeSpki = (publicKey: Uint8Array): Uint8Array => Uint8Array.from(Buffer.concat([SPKI_HEAD, publicKey]))
export const encodePkcs8 = (seed: Uint8Array): Buffer => Buffer.concat([PKCS8_HEAD, seed])

const bodyOf = (der: Uint8Array, head: Buffer, bytes: number): Uint8Array | undefined =>
  der.length === head.length + bytes && head.equals(der.subarray(0, head.length))
    ? der.subarray(head.length)
    : undefined

/** The 1216 bytes of the key itself; undefined for anything but a SubjectPublicKeyInfo of X-Wing. */
export const decodeSpki = (spki: Uint8Array): Uint8Array | undefined => bodyOf(spki, SPKI_HEAD, PUBLIC_BYTES)
/** The seed; a view of `pkcs8`. */
export const decodePkcs8 = (pkcs8: Uint8Array): Uint8Array | undefined => bodyOf(pkcs8, PKCS8_HEAD, SEED_BYTES)

/** SHAKE256 of the seed (section 5.2): the seed of ML-KEM, then the scalar of X25519. */
export function expand(seed: Uint8Array): { readonly mlKem: KeyObject; readonly x25519: KeyObject } {
  const expanded = hash('shake256', seed, { outputEncoding: 'buffer', outputLength: ML_KEM_SEED_BYTES + 32 })
  try {
    const part = (from: number, to?: number) => Buffer.from(expanded.subarray(from, to))
    return {
      mlKem: createPrivateKey({
        key: part(0, ML_KEM_SEED_BYTES),
        format: 'raw-seed',
        asymmetricKeyType: 'ml-kem-768',
      }),
      x25519: createPrivateKey({ key: part(ML_KEM_SEED_BYTES), format: 'raw-private', asymmetricKeyType: 'x25519' }),
    }
  } finally {
    expanded.fill(0)
  }
}

export const rawPublic = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'raw-public' })

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const { mlKem, x25519 } = expand(seed)
  return Uint8Array.from(Buffer.concat([rawPublic(mlKem), rawPublic(x25519)]))
}

const parse = (bytes: Uint8Array, asymmetricKeyType: 'ml-kem-768' | 'x25519'): KeyObject =>
  createPublicKey({ key: Buffer.from(bytes), format: 'raw-public', asymmetricKeyType })
export const parseX25519 = (point: Uint8Array): KeyObject => parse(point, 'x25519')
export const parsePublic = (publicKey: Uint8Array) => ({
  mlKem: parse(publicKey.subarray(0, ML_KEM_PUBLIC_BYTES), 'ml-kem-768'),
  x25519: parseX25519(publicKey.subarray(ML_KEM_PUBLIC_BYTES)),
})

export const splitCiphertext = (ciphertext: Uint8Array) => ({
  mlKem: ciphertext.subarray(0, ML_KEM_CIPHERTEXT_BYTES),
  x25519: ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES),
})

/** The combiner (section 5.3): both secrets, X25519's ciphertext and public key, and the label. */
export const combine = (mlKem: Uint8Array, x25519: Uint8Array, ciphertext: Uint8Array, publicKey: Uint8Array): Buffer =>
  hash('sha3-256', Buffer.concat([mlKem, x25519, ciphertext, publicKey, LABEL]), 'buffer')
