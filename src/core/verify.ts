/** Signature verification: public-key work, done once here for every backend. */
import {
  constants,
  hash as hashOf,
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
import * as ed25519ph from './ed25519ph.ts'
import { KmsError } from './error.ts'
import type { SignInput } from './ports.ts'
import { verifyHashSlhDsa, verifyMu } from './post-quantum.ts'
import { publicKeyOf } from './public-key.ts'
import { emsaPkcs1, emsaPkcs1Raw, emsaPssVerify } from './rsa-encoding.ts'
import { checkSignInput, contextOf, hashedInput, messageOf } from './sign-input.ts'

const verifyAsync = promisify(verifySync)

type RsaRow = Extract<KeySpecRow, { type: 'rsa' }>
type RsaSignRow = Extract<AlgorithmRow, { scheme: 'rsa-pss' | 'rsa-pkcs1'; op: 'sign' }>
type SignRow = Extract<AlgorithmRow, { op: 'sign' }>

/**
 * Whether `signature` is `input`'s under the public key. ECDSA signatures are raw r‖s. Anything wrong with the signature
 * itself, its length included, is `false`.
 * @throws KmsError unsupported_algorithm, and what checkSignInput throws
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
  checkSignInput(spec, algorithm, input)
  const publicKey = publicKeyOf(spki, spec)
  if (signature.length !== signatureBytes(key)) return false
  return key.type === 'rsa' || key.type === 'ec'
    ? verifyClassic(key, row, publicKey, input, signature)
    : verifyModern(key, row, publicKey, input, signature)
}

async function verifyClassic(
  key: Extract<KeySpecRow, { type: 'rsa' | 'ec' }>,
  row: SignRow,
  publicKey: KeyObject,
  input: SignInput,
  signature: Uint8Array,
): Promise<boolean> {
  if (key.type === 'rsa' && row.scheme === 'rsa-pkcs1-raw') {
    const encoded = rsaPublic(publicKey, signature)
    return encoded !== undefined && timingSafeEqual(encoded, emsaPkcs1Raw(messageOf(input), key.bits / 8))
  }
  const hashed = hashedInput(input)
  if (row.scheme === 'ecdsa' && key.type === 'ec') {
    return 'message' in hashed
      ? ecdsa.verifyMessage(key, row.hash, publicKey, hashed.message, signature)
      : ecdsa.verifyDigest(key, row.hash, publicKey, hashed.digest, signature)
  }
  if ((row.scheme === 'rsa-pss' || row.scheme === 'rsa-pkcs1') && key.type === 'rsa') {
    return 'message' in hashed
      ? verifyRsaMessage(row, publicKey, hashed.message, signature)
      : verifyRsaDigest(key, row, publicKey, hashed.digest, signature)
  }
  throw new KmsError('internal')
}

/** Ed25519, ML-DSA and SLH-DSA. What @noble does here takes 2 ms. */
async function verifyModern(
  key: KeySpecRow,
  row: SignRow,
  publicKey: KeyObject,
  input: SignInput,
  signature: Uint8Array,
): Promise<boolean> {
  const raw = () => publicKey.export({ format: 'raw-public' })
  switch (row.scheme) {
    case 'ed25519':
      return verifySync(null, messageOf(input), publicKey, signature)
    case 'ed25519ph':
      return ed25519ph.verifyDigest(raw(), digestOf(row.hash, input), signature)
    case 'ml-dsa':
    case 'slh-dsa':
      return verifyAsync(null, messageOf(input), { key: publicKey, context: contextOf(input) }, signature)
    case 'hash-slh-dsa':
      return verifyHashSlhDsa(raw(), digestOf(row.hash, input), contextOf(input), signature)
    case 'ml-dsa-mu':
      if (key.type === 'ml-dsa' && 'mu' in input) return verifyMu(key, raw(), input.mu, signature)
      throw new KmsError('internal')
    default:
      throw new KmsError('internal')
  }
}

/** The digest that the caller gave, or that of his message. */
export function digestOf(hash: 'sha256' | 'sha512', input: SignInput): Uint8Array {
  const hashed = hashedInput(input)
  return 'digest' in hashed ? hashed.digest : hashOf(hash, hashed.message, 'buffer')
}

/** Bytes of every signature that a key of this type makes; 0 for keys that make none. */
export function signatureBytes(row: KeySpecRow): number {
  switch (row.type) {
    case 'rsa':
      return row.bits / 8
    case 'ec':
      return 2 * row.coordinate
    case 'ed25519':
      return 64
    case 'ml-dsa':
    case 'slh-dsa':
      return row.signatureBytes
    default:
      return 0
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
