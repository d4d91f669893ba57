/** Public keys from the SubjectPublicKeyInfo of a version. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { type KeySpec, type KeySpecRow, specRow } from './algorithm.ts'
import { invalidArgument, KmsError } from './error.ts'
import { Lru } from './lru.ts'

/** Parsing an SPKI costs as much as a P-256 verification. */
const keys = new Lru<KeyObject>(1024)

/** @throws KmsError internal for what is not a public key of the spec */
export function publicKeyOf(spki: Uint8Array, spec: KeySpec): KeyObject {
  const id = `${spec} ${Buffer.from(spki.buffer, spki.byteOffset, spki.length).toString('latin1')}`
  const cached = keys.get(id)
  if (cached !== undefined) return cached
  const key = parsePublicKey(spki)
  if (key === undefined || !fits(key, specRow(spec))) throw new KmsError('internal')
  keys.set(id, key)
  return key
}

/** Undefined for what is no SubjectPublicKeyInfo of a key that node:crypto knows. */
export function parsePublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/**
 * The other end of an agreement with a key of the spec.
 * @throws KmsError invalid_argument (publicKey) for what is no public key on the key's curve
 */
export function peerKey(row: KeySpecRow, spki: Uint8Array): KeyObject {
  const key = parsePublicKey(spki)
  if (key?.type === 'public' && fits(key, row)) return key
  throw invalidArgument('publicKey', 'not a public key on the curve of the key')
}

/** Whether a key object, public or private, is of the spec. node:crypto has none for X-Wing, only for its seed. */
export function fits(key: KeyObject, row: KeySpecRow): boolean {
  switch (row.type) {
    case 'rsa':
      return key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.modulusLength === row.bits
    case 'ec':
      return (
        key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === row.curve && namesCurve(key, row)
      )
    case 'ed25519':
    case 'x25519':
      return key.asymmetricKeyType === row.type
    case 'ml-dsa':
    case 'slh-dsa':
    case 'ml-kem':
      return key.asymmetricKeyType === row.node
    case 'x-wing':
      return false
    default:
      return key.type === 'secret' && key.symmetricKeySize === row.bytes
  }
}

/**
 * RFC 5480 section 2.1.1: a curve is named, its parameters are never spelled out. OpenSSL takes those that resemble a
 * named curve for it, whatever the cofactor, and hands them out again as they came.
 */
function namesCurve(key: KeyObject, row: Extract<KeySpecRow, { type: 'ec' }>): boolean {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return publicKey.export({ format: 'der', type: 'spki' }).includes(row.oid, 0, 'hex')
}
