/**
 * Key material: generated, imported, and loaded again from the bytes that are sealed. Those bytes are the key itself
 * for symmetric keys, the seed for ML-DSA (FIPS 204 section 3.6.3), ML-KEM (FIPS 203 section 3.3) and X-Wing, and PKCS#8
 * DER for everything else.
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  type KeyType,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { type KeySpec, type KeySpecRow, specRow } from '../core/algorithm.ts'
import { invalidArgument } from '../core/error.ts'
import { generatePrivateKey, spkiOf } from '../core/key-pair.ts'
import { fits } from '../core/public-key.ts'
import * as xWing from '../core/x-wing.ts'
import { isSoundRsa } from './rsa-check.ts'

const signAsync = promisify(sign)

/** `bytes` are the caller's to wipe. */
export type Material = { readonly bytes: Buffer; readonly key: KeyObject; readonly spki?: Uint8Array }

export async function generateMaterial(spec: KeySpec): Promise<Material> {
  const row = specRow(spec)
  switch (row.type) {
    case 'aes':
    case 'hmac':
      return symmetric(randomBytes(row.bytes))
    case 'x-wing':
      return xWingOf(randomBytes(xWing.SEED_BYTES))
    default:
      return asymmetric(await generatePrivateKey(row), row)
  }
}

/**
 * `bytes`: raw for symmetric keys, PKCS#8 DER for asymmetric ones; copied.
 * @throws KmsError invalid_argument for anything that is not exactly a key of the spec
 */
export async function importMaterial(spec: KeySpec, bytes: Uint8Array): Promise<Material> {
  const row = specRow(spec)
  if (row.type === 'aes' || row.type === 'hmac') {
    if (bytes.length !== row.bytes) throw invalidArgument('material', `${spec} keys have ${row.bytes} bytes`)
    return symmetric(Buffer.from(bytes))
  }
  if (row.type === 'x-wing') {
    const seed = xWing.decodePkcs8(bytes)
    if (seed === undefined) throw invalidArgument('material', `not a PKCS#8 ${spec} private key`)
    return xWingOf(Buffer.from(seed))
  }
  const parsed = parsePkcs8(bytes)
  if (parsed === undefined || !fits(parsed, row)) throw invalidArgument('material', `not a PKCS#8 ${spec} private key`)
  if (!(await isConsistent(parsed, row)))
    throw invalidArgument('material', 'the private key does not match its public half')
  return asymmetric(parsed, row)
}

/** The key that `bytes` of a Material stand for. */
export function loadMaterial(spec: KeySpec, bytes: Buffer): KeyObject {
  const row = specRow(spec)
  switch (row.type) {
    case 'aes':
    case 'hmac':
    case 'x-wing':
      return createSecretKey(bytes)
    case 'ml-dsa':
    case 'ml-kem':
      return createPrivateKey({ key: bytes, format: 'raw-seed', asymmetricKeyType: row.node })
    default:
      return createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })
  }
}

const symmetric = (bytes: Buffer): Material => ({ bytes, key: createSecretKey(bytes) })

/** node:crypto has no keys of X-Wing; its seed is expanded at every use. */
const xWingOf = (seed: Buffer): Material => ({
  bytes: seed,
  key: createSecretKey(seed),
  spki: xWing.encodeSpki(xWing.publicKeyOf(seed)),
})

function asymmetric(key: KeyObject, row: KeySpecRow): Material {
  const seeded = row.type === 'ml-dsa' || row.type === 'ml-kem'
  const bytes = seeded ? seedOf(key) : key.export({ format: 'der', type: 'pkcs8' })
  return { bytes, key, spki: spkiOf(key) }
}

function seedOf(key: KeyObject): Buffer {
  try {
    return key.export({ format: 'raw-seed' })
  } catch {
    throw invalidArgument('material', `an ${key.asymmetricKeyType} private key is imported with its seed`)
  }
}

function parsePkcs8(bytes: Uint8Array): KeyObject | undefined {
  if (!isOneSequence(bytes)) return undefined
  const der = Buffer.from(bytes)
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } catch {
    return undefined
  } finally {
    der.fill(0)
  }
}

/** Whether the bytes are one DER SEQUENCE and nothing after it; OpenSSL ignores what follows. */
function isOneSequence(der: Uint8Array): boolean {
  const [tag = 0, first = 0] = der
  if (tag !== 0x30) return false
  if (first < 0x80) return der.length === 2 + first
  const octets = first & 0x7f
  if (octets === 0 || octets > 3 || der.length < 2 + octets) return false
  const length = der.subarray(2, 2 + octets).reduce((sum, octet) => sum * 256 + octet, 0)
  return der.length === 2 + octets + length
}

/** OpenSSL takes the public half that comes with a private key for true. */
async function isConsistent(key: KeyObject, row: KeySpecRow): Promise<boolean> {
  const publicKey = createPublicKey(key)
  if (row.type === 'ec') return ecPublic(key, row.curve).equals(publicKey.export({ format: 'raw-public' }))
  if (row.type === 'rsa') return isSoundRsa(key)
  if (row.type === 'ml-kem') return rebuilt(seedOf(key), 'raw-seed', row.node).equals(publicKey)
  if (row.type === 'x25519')
    return rebuilt(key.export({ format: 'raw-private' }), 'raw-private', 'x25519').equals(publicKey)
  const probe = randomBytes(32)
  try {
    return verify(null, probe, publicKey, await signAsync(null, probe, key))
  } catch {
    return false
  }
}

/** The public half that belongs to a private one, wiped here. */
function rebuilt(bytes: Buffer, format: 'raw-seed' | 'raw-private', asymmetricKeyType: KeyType): KeyObject {
  try {
    return createPublicKey(createPrivateKey({ key: bytes, format, asymmetricKeyType }))
  } finally {
    bytes.fill(0)
  }
}

function ecPublic(key: KeyObject, curve: string): Buffer {
  const scalar = key.export({ format: 'raw-private' })
  const ecdh = createECDH(curve)
  try {
    ecdh.setPrivateKey(scalar)
    return ecdh.getPublicKey()
  } catch {
    return Buffer.alloc(0)
  } finally {
    scalar.fill(0)
  }
}
