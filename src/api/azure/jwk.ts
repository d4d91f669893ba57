/** Private JSON Web Keys as they are imported: every number is checked, so that a refusal can name it. */
import { createECDH, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { Static } from '@sinclair/typebox'
import { KEY_SPECS, type KeySpec } from '../../core/algorithm.ts'
import { invalidArgument } from '../../core/error.ts'
import { Secret } from '../../core/secret.ts'
import { decodeBase64url } from '../codec/base64url.ts'
import {
  AES_SIZES,
  CURVES,
  familyOf,
  isAesSize,
  isCurve,
  isForMacs,
  isMacSize,
  isRsaSize,
  type KeyType,
  MAC_SIZES,
  RSA_SIZES,
} from './names.ts'
import type { JsonWebKeyBody } from './schemas.ts'

type Jwk = Static<typeof JsonWebKeyBody>
type Member = 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi' | 'x' | 'y' | 'k'
export type ImportedMaterial = { readonly spec: KeySpec; readonly material: Secret }

const wrong = (member: Member | 'crv', reason: string) => invalidArgument(`key.${member}`, reason)

function bytesOf(jwk: Jwk, member: Member): Uint8Array {
  const text = jwk[member]
  if (text === undefined) throw wrong(member, 'is missing')
  const bytes = decodeBase64url(text)
  if (bytes === undefined || bytes.length === 0) throw wrong(member, 'not base64url')
  return bytes
}

const integerOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)

/** Without the leading zeros that JOSE forbids (RFC 7518 section 6.3.1.1) and some clients send. */
const minimal = (integer: bigint): string => {
  const hex = integer.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
}

/** node:crypto's key of a JWK whose members are sound by themselves. */
function privateKeyOf(key: JsonWebKey): KeyObject {
  try {
    return createPrivateKey({ key, format: 'jwk' })
  } catch {
    throw invalidArgument('key', `not a private key of type ${key.kty}`)
  }
}

function pkcs8(key: JsonWebKey): Secret {
  return new Secret(privateKeyOf(key).export({ format: 'der', type: 'pkcs8' }))
}

function rsaMaterial(jwk: Jwk): ImportedMaterial {
  const number = (member: Member): bigint => integerOf(bytesOf(jwk, member))
  const n = number('n')
  const bits = n.toString(2).length
  if (!isRsaSize(bits)) throw wrong('n', 'must have 2048, 3072 or 4096 bits')
  const e = number('e')
  if (e <= 65_536n || e >= 1n << 32n || e % 2n === 0n) throw wrong('e', 'must be odd, above 65536 and below 2^32')
  const [d, p, q, dp, dq, qi] = [number('d'), number('p'), number('q'), number('dp'), number('dq'), number('qi')]
  if (p < 3n || p >= n || n % p !== 0n) throw wrong('p', 'does not divide n')
  if (p * q !== n || p === q) throw wrong('q', 'is not the other factor of n')
  const inverts = (exponent: bigint, prime: bigint): boolean => (exponent * e) % (prime - 1n) === 1n
  if (d >= n || !inverts(d, p) || !inverts(d, q)) throw wrong('d', 'is not the private exponent of n and e')
  if (dp >= p || !inverts(dp, p)) throw wrong('dp', 'is not d mod (p - 1)')
  if (dq >= q || !inverts(dq, q)) throw wrong('dq', 'is not d mod (q - 1)')
  if (qi >= p || (qi * q) % p !== 1n) throw wrong('qi', 'is not the inverse of q mod p')
  const numbers = Object.entries({ n, e, d, p, q, dp, dq, qi }).map(([name, value]) => [name, minimal(value)])
  return { spec: RSA_SIZES[bits], material: pkcs8({ kty: 'RSA', ...Object.fromEntries(numbers) }) }
}

function ecMaterial(jwk: Jwk): ImportedMaterial {
  if (jwk.crv === undefined || !isCurve(jwk.crv)) throw wrong('crv', 'not a curve of this service')
  const spec = CURVES[jwk.crv]
  const row = KEY_SPECS[spec]
  const coordinate = (member: 'x' | 'y' | 'd'): Uint8Array => {
    const bytes = bytesOf(jwk, member)
    if (bytes.length !== row.coordinate) throw wrong(member, `must have ${row.coordinate} bytes`)
    return bytes
  }
  const [x, y, d] = [coordinate('x'), coordinate('y'), coordinate('d')]
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
  const point = { kty: 'EC', crv: row.jwk, x: text(x), y: text(y) }
  try {
    createPublicKey({ key: point, format: 'jwk' })
  } catch {
    throw wrong('x', 'x and y are not a point of the curve')
  }
  if (!publicPoint(row.curve, d)?.equals(Buffer.concat([Buffer.of(4), x, y]))) {
    throw wrong('d', 'is not the private key of x and y')
  }
  return { spec, material: pkcs8({ ...point, d: text(d) }) }
}

/** Undefined for a scalar outside the curve's order. */
function publicPoint(curve: string, scalar: Uint8Array): Buffer | undefined {
  const ecdh = createECDH(curve)
  try {
    ecdh.setPrivateKey(scalar)
    return ecdh.getPublicKey()
  } catch {
    return undefined
  }
}

function octMaterial(jwk: Jwk): ImportedMaterial {
  const material = new Secret(bytesOf(jwk, 'k'))
  const bits = material.length * 8
  if (!isForMacs(jwk.kty as KeyType, jwk.key_ops)) {
    if (!isAesSize(bits)) throw wrong('k', 'must have 128, 192 or 256 bits')
    return { spec: AES_SIZES[bits], material }
  }
  if (!isMacSize(bits)) throw wrong('k', 'must have 256, 384 or 512 bits for sign and verify')
  return { spec: MAC_SIZES[bits], material }
}

function akpMaterial(): never {
  throw invalidArgument('key.kty', 'keys of this type are not imported')
}

const MATERIALS = { RSA: rsaMaterial, EC: ecMaterial, AKP: akpMaterial, oct: octMaterial } as const

/** @throws KmsError invalid_argument with the member named */
export function importedMaterial(kty: KeyType, jwk: Jwk): ImportedMaterial {
  if (jwk.key_hsm !== undefined) throw invalidArgument('key.key_hsm', 'transfer blobs are not supported')
  return MATERIALS[familyOf(kty)](jwk)
}
