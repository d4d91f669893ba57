/** Signature verification: public-key work, done once here for every backend. */
import {
  constants,
  createPublicKey,
  type KeyObject,
  publicDecrypt,
  timingSafeEqual,
  verify as verifySync,
} from 'node:crypto'
import { promisify } from 'node:util'
import {
  type Algorithm,
  type AlgorithmRow,
  algorithmRow,
  type KeySpec,
  type KeySpecRow,
  specHas,
  specRow,
} from './algorithm.ts'
import * as ecdsa from './ecdsa-verify.ts'
import { KmsError } from './error.ts'
import { Lru } from './lru.ts'
import type { SignInput } from './ports.ts'
import { emsaPkcs1, emsaPssVerify } from './rsa-encoding.ts'
import { requireDigestLength, requireMessage } from './sign-input.ts'

const verifyAsync = promisify(verifySync)
/** Parsing an SPKI costs as much as a P-256 verification. */
const keys = new Lru<KeyObject>(1024)

type RsaRow = Extract<KeySpecRow, { type: 'rsa' }>
type RsaSignRow = Extract<AlgorithmRow, { scheme: 'rsa-pss' | 'rsa-pkcs1'; op: 'sign' }>

/**
 * Whether `signature` is `input`'s under the public key. ECDSA signatures are raw r‖s. Anything wrong with the signature
 * itself, its length included, is `false`.
 * @throws KmsError unsupported_algorithm, digest_length, invalid_argument (a digest for a scheme that takes messages only)
 */
export async function verify(
  spki: Uint8Array,
  spec: KeySpec,
  algorithm: Algorithm,
  input: SignInput,
  signature: Uint8Array,
): Promise<boolean> {
  const key = specRow(spec)
  const row = algorithmRow(algorithm)
  if (row.op !== 'sign' || !specHas(spec, algorithm)) throw new KmsError('unsupported_algorithm', { algorithm, spec })
  if ('hash' in row && 'digest' in input) requireDigestLength(algorithm, row.hash, input.digest)
  const message = 'hash' in row ? undefined : requireMessage(algorithm, input)
  const publicKey = publicKeyOf(spki, spec)
  if (signature.length !== signatureBytes(key)) return false
  if (message !== undefined) {
    return row.scheme === 'ml-dsa'
      ? verifyAsync(null, message, publicKey, signature)
      : verifySync(null, message, publicKey, signature)
  }
  if (row.scheme === 'ecdsa' && key.type === 'ec') {
    return 'message' in input
      ? ecdsa.verifyMessage(key, row.hash, publicKey, input.message, signature)
      : ecdsa.verifyDigest(key, row.hash, publicKey, input.digest, signature)
  }
  if ((row.scheme === 'rsa-pss' || row.scheme === 'rsa-pkcs1') && key.type === 'rsa') {
    return 'message' in input
      ? verifyRsaMessage(row, publicKey, input.message, signature)
      : verifyRsaDigest(key, row, publicKey, input.digest, signature)
  }
  throw new KmsError('unsupported_algorithm', { algorithm, spec })
}

/** Bytes of every signature that a key of this type makes; 0 for keys that make none. */
function signatureBytes(row: KeySpecRow): number {
  switch (row.type) {
    case 'rsa':
      return row.bits / 8
    case 'ec':
      return 2 * row.coordinate
    case 'ed25519':
      return 64
    case 'ml-dsa':
      return row.signatureBytes
    default:
      return 0
  }
}

function publicKeyOf(spki: Uint8Array, spec: KeySpec): KeyObject {
  const id = `${spec} ${Buffer.from(spki.buffer, spki.byteOffset, spki.length).toString('latin1')}`
  const cached = keys.get(id)
  if (cached !== undefined) return cached
  const key = parsePublicKey(spki)
  if (!fits(key, specRow(spec))) throw new KmsError('internal')
  keys.set(id, key)
  return key
}

function parsePublicKey(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch (cause) {
    throw new KmsError('internal', {}, { cause })
  }
}

/** Whether a key object, public or private, is of the spec. */
export function fits(key: KeyObject, row: KeySpecRow): boolean {
  switch (row.type) {
    case 'rsa':
      return key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.modulusLength === row.bits
    case 'ec':
      return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === row.curve
    case 'ed25519':
      return key.asymmetricKeyType === 'ed25519'
    case 'ml-dsa':
      return key.asymmetricKeyType === row.node
    default:
      return key.type === 'secret' && key.symmetricKeySize === row.bytes
  }
}

function verifyRsaMessage(row: RsaSignRow, key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  const options =
    row.scheme === 'rsa-pss'
      ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { key, padding: constants.RSA_PKCS1_PADDING }
  return verifySync(row.hash, message, options, signature)
}

function verifyRsaDigest(
  key: RsaRow,
  row: RsaSignRow,
  publicKey: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const encoded = rsaPublic(publicKey, signature)
  if (encoded === undefined) return false
  if (row.scheme === 'rsa-pss') return emsaPssVerify(row.hash, digest, encoded)
  return timingSafeEqual(encoded, emsaPkcs1(row.hash, digest, key.bits / 8))
}

/** RSAVP1 (RFC 8017 section 5.2.2); undefined when the signature is not below the modulus. */
function rsaPublic(key: KeyObject, signature: Uint8Array): Uint8Array | undefined {
  try {
    return publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature)
  } catch {
    return undefined
  }
}
