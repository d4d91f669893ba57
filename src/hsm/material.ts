/** Public keys from a token's attributes, and private ones from PKCS#8 into a token's attributes. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { ITemplate } from 'graphene-pk11'
import { type KeySpec, type KeySpecRow, specRow } from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import { fits, peerKey } from '../core/public-key.ts'
import { type DerValue, readDer, readDerAll, TAG, unsigned } from './der.ts'

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

function spkiOfJwk(key: JsonWebKey): Uint8Array {
  return createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'der' })
}

/** CKA_EC_POINT is a DER OCTET STRING (v2.40 section 2.3.3) that some modules leave out; `bytes` is the bare point's length. */
function barePoint(attribute: Uint8Array, bytes: number): Uint8Array {
  if (attribute.length === bytes) return attribute
  const der = readDer(attribute)
  if (der?.tag === TAG.octetString && der.content.length === bytes) return der.content
  throw new KmsError('internal', {}, { cause: new Error('CKA_EC_POINT has an unknown form') })
}

export const rsaSpki = (modulus: Uint8Array, exponent: Uint8Array): Uint8Array =>
  spkiOfJwk({ kty: 'RSA', n: base64url(unsigned(modulus)), e: base64url(unsigned(exponent)) })

export function ecSpki(row: KeySpecRow & { type: 'ec' }, attribute: Uint8Array): Uint8Array {
  const point = barePoint(attribute, 1 + 2 * row.coordinate)
  const x = point.subarray(1, 1 + row.coordinate)
  return spkiOfJwk({ kty: 'EC', crv: row.jwk, x: base64url(x), y: base64url(point.subarray(1 + row.coordinate)) })
}

const POINT_BYTES = 32
export const edwardsSpki = ({ type }: { type: 'ed25519' | 'x25519' }, attribute: Uint8Array): Uint8Array =>
  spkiOfJwk({ kty: 'OKP', crv: JWK_CURVES[type], x: base64url(barePoint(attribute, POINT_BYTES)) })
const JWK_CURVES = { ed25519: 'Ed25519', x25519: 'X25519' } as const

/**
 * The other end of an agreement as CKM_ECDH1_DERIVE takes it: raw, which every token has to (v2.40 section 2.3.6).
 * @throws KmsError invalid_argument (publicKey)
 */
export function peerPoint(spec: KeySpec, peer: Uint8Array): Uint8Array {
  const { x = '', y } = peerKey(specRow(spec), peer).export({ format: 'jwk' })
  const point = Buffer.from(x, 'base64url')
  return y === undefined ? point : Buffer.concat([Buffer.of(4), point, Buffer.from(y, 'base64url')])
}

export const mlDsaSpki = (row: KeySpecRow & { type: 'ml-dsa' }, value: Uint8Array): Uint8Array =>
  spkiOfJwk({ kty: 'AKP', alg: row.node.toUpperCase(), pub: base64url(value) })

/** The contents of a PKCS#8 PrivateKeyInfo's privateKey field (RFC 5958 section 2). */
function privateField(pkcs8: Uint8Array): Uint8Array {
  const field = sequence(pkcs8)[2]
  if (field?.tag !== TAG.octetString) throw invalidArgument('material', 'not a PKCS#8 private key')
  return field.content
}

function sequence(bytes: Uint8Array): readonly DerValue[] {
  const outer = readDer(bytes)
  const whole = outer?.tag === TAG.sequence && outer.rest.length === 0
  const fields = whole ? readDerAll(outer.content) : undefined
  if (fields === undefined) throw invalidArgument('material', 'not a PKCS#8 private key')
  return fields
}

const RSA_FIELDS = [
  'modulus',
  'publicExponent',
  'privateExponent',
  'prime1',
  'prime2',
  'exp1',
  'exp2',
  'coefficient',
] as const

/** The attributes that hold the private value, as views of `pkcs8`, so that wiping it wipes them. */
function privateAttributes(row: KeySpecRow, pkcs8: Uint8Array): ITemplate {
  const field = privateField(pkcs8)
  if (row.type === 'rsa') {
    // RSAPrivateKey (RFC 8017 appendix A.1.2): version first.
    const numbers = sequence(field).slice(1)
    if (numbers.length !== RSA_FIELDS.length) throw invalidArgument('material', 'not a PKCS#8 private key')
    return Object.fromEntries(numbers.map(({ content }, i) => [RSA_FIELDS[i], view(unsigned(content))]))
  }
  if (row.type === 'ml-dsa') return { parameterSet: row.parameterSet, ...mlDsaValue(field) }
  // ECPrivateKey (RFC 5915 section 3), CurvePrivateKey (RFC 8410 section 7).
  const inner = row.type === 'ec' ? sequence(field)[1] : readDer(field)
  if (inner === undefined) throw invalidArgument('material', 'not a PKCS#8 private key')
  return { value: view(inner.content) }
}

/** An IMPLICIT [0], primitive. */
const SEED_TAG = 0x80

/** ML-DSA-PrivateKey (RFC 9881 section 6): the seed, which is all of a key, the expanded key, or both. */
function mlDsaValue(field: Uint8Array): ITemplate {
  const form = readDer(field)
  if (form?.tag === SEED_TAG) return { seed: view(form.content) }
  if (form?.tag === TAG.octetString) return { value: view(form.content) }
  const [seed] = sequence(field)
  if (seed?.tag !== TAG.octetString) throw invalidArgument('material', 'not a PKCS#8 private key')
  return { seed: view(seed.content) }
}

/** Reads an asymmetric key for import. Whether its halves belong together is for the token to show. */
export function readPrivateKey(spec: KeySpec, pkcs8: Uint8Array): { attributes: ITemplate; spki: Uint8Array } {
  const row = specRow(spec)
  const key = parse(pkcs8)
  if (key === undefined || !fits(key, row)) throw invalidArgument('material', `not a PKCS#8 ${spec} private key`)
  const exponent = key.asymmetricKeyDetails?.publicExponent
  // FIPS 186-5 section A.1.1: odd and above 2^16.
  if (exponent !== undefined && (exponent <= 65536n || exponent % 2n === 0n)) {
    throw invalidArgument('material', 'RSA public exponent')
  }
  const attributes = privateAttributes(row, pkcs8)
  return { attributes, spki: createPublicKey(key).export({ type: 'spki', format: 'der' }) }
}

function parse(pkcs8: Uint8Array): KeyObject | undefined {
  try {
    return createPrivateKey({ key: view(pkcs8), format: 'der', type: 'pkcs8' })
  } catch {
    return undefined
  }
}
