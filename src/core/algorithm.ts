/**
 * All knowledge about key specs and algorithms. A new algorithm is a row here; below the look-up only resolved rows
 * are passed on, so nothing else enumerates them (dialects keep one name table each, in `names.ts`).
 */

export type Hash = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'
export const HASH_BYTES: Readonly<Record<Hash, number>> = {
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
}

/** Block cipher modes with an IV and data that the caller sees, as opposed to an envelope. */
export type AesMode = 'gcm' | 'cbc' | 'cbc-pad' | 'ctr' | 'kw' | 'kwp'

type EncryptRow =
  /** A key per message (design section 5.3). `kdf` says how it is derived, the envelope's algorithm byte which was used. */
  | {
      readonly op: 'encrypt'
      readonly scheme: 'envelope'
      readonly kdf: 'hmac-sha256' | 'aes-cbc'
      readonly wire: number
    }
  /** `kw` is RFC 3394, `kwp` RFC 5649; both have the IV of their RFC, so `ivBytes` is 0. */
  | { readonly op: 'encrypt'; readonly scheme: 'aes'; readonly mode: AesMode; readonly ivBytes: number }
  /** `hash` is the OAEP hash and the MGF1 hash. */
  | { readonly op: 'encrypt'; readonly scheme: 'rsa-oaep'; readonly hash: Hash }
  | { readonly op: 'encrypt'; readonly scheme: 'rsa-pkcs1' }
type SignRow =
  | { readonly op: 'sign'; readonly scheme: 'rsa-pss' | 'rsa-pkcs1'; readonly hash: Hash }
  /** PKCS#1 v1.5 padding around the message itself: no hash and no DigestInfo. */
  | { readonly op: 'sign'; readonly scheme: 'rsa-pkcs1-raw' }
  | { readonly op: 'sign'; readonly scheme: 'ecdsa'; readonly hash: Hash }
  | { readonly op: 'sign'; readonly scheme: 'ed25519' }
  | { readonly op: 'sign'; readonly scheme: 'ed25519ph'; readonly hash: 'sha512' }
  /** FIPS 204: over a message with a context, or over the representative µ that the caller made of both. */
  | { readonly op: 'sign'; readonly scheme: 'ml-dsa'; readonly context: true }
  | { readonly op: 'sign'; readonly scheme: 'ml-dsa-mu' }
  /** FIPS 205: `hash` is that of HashSLH-DSA. */
  | { readonly op: 'sign'; readonly scheme: 'slh-dsa'; readonly context: true }
  | { readonly op: 'sign'; readonly scheme: 'hash-slh-dsa'; readonly hash: 'sha256'; readonly context: true }
type MacRow = { readonly op: 'mac'; readonly scheme: 'hmac'; readonly hash: Hash }
type AgreeRow = { readonly op: 'agree'; readonly scheme: 'ecdh' }
type KemRow = { readonly op: 'decapsulate'; readonly scheme: 'ml-kem' | 'x-wing' }
export type AlgorithmRow = EncryptRow | SignRow | MacRow | AgreeRow | KemRow

export const ALGORITHMS = {
  envelope_hmac_kdf: { op: 'encrypt', scheme: 'envelope', kdf: 'hmac-sha256', wire: 1 },
  envelope_cbc_kdf: { op: 'encrypt', scheme: 'envelope', kdf: 'aes-cbc', wire: 2 },
  aes_gcm: { op: 'encrypt', scheme: 'aes', mode: 'gcm', ivBytes: 12 },
  aes_cbc: { op: 'encrypt', scheme: 'aes', mode: 'cbc', ivBytes: 16 },
  aes_cbc_pad: { op: 'encrypt', scheme: 'aes', mode: 'cbc-pad', ivBytes: 16 },
  aes_ctr: { op: 'encrypt', scheme: 'aes', mode: 'ctr', ivBytes: 16 },
  aes_kw: { op: 'encrypt', scheme: 'aes', mode: 'kw', ivBytes: 0 },
  aes_kwp: { op: 'encrypt', scheme: 'aes', mode: 'kwp', ivBytes: 0 },
  rsa_oaep_sha1: { op: 'encrypt', scheme: 'rsa-oaep', hash: 'sha1' },
  rsa_oaep_sha256: { op: 'encrypt', scheme: 'rsa-oaep', hash: 'sha256' },
  rsa_oaep_sha512: { op: 'encrypt', scheme: 'rsa-oaep', hash: 'sha512' },
  rsa_encrypt_pkcs1: { op: 'encrypt', scheme: 'rsa-pkcs1' },
  rsa_pss_sha256: { op: 'sign', scheme: 'rsa-pss', hash: 'sha256' },
  rsa_pss_sha384: { op: 'sign', scheme: 'rsa-pss', hash: 'sha384' },
  rsa_pss_sha512: { op: 'sign', scheme: 'rsa-pss', hash: 'sha512' },
  rsa_pkcs1_sha256: { op: 'sign', scheme: 'rsa-pkcs1', hash: 'sha256' },
  rsa_pkcs1_sha384: { op: 'sign', scheme: 'rsa-pkcs1', hash: 'sha384' },
  rsa_pkcs1_sha512: { op: 'sign', scheme: 'rsa-pkcs1', hash: 'sha512' },
  rsa_pkcs1_raw: { op: 'sign', scheme: 'rsa-pkcs1-raw' },
  ecdsa_sha256: { op: 'sign', scheme: 'ecdsa', hash: 'sha256' },
  ecdsa_sha384: { op: 'sign', scheme: 'ecdsa', hash: 'sha384' },
  ecdsa_sha512: { op: 'sign', scheme: 'ecdsa', hash: 'sha512' },
  ed25519: { op: 'sign', scheme: 'ed25519' },
  ed25519_ph: { op: 'sign', scheme: 'ed25519ph', hash: 'sha512' },
  ml_dsa: { op: 'sign', scheme: 'ml-dsa', context: true },
  ml_dsa_mu: { op: 'sign', scheme: 'ml-dsa-mu' },
  slh_dsa: { op: 'sign', scheme: 'slh-dsa', context: true },
  slh_dsa_sha256: { op: 'sign', scheme: 'hash-slh-dsa', hash: 'sha256', context: true },
  hmac_sha1: { op: 'mac', scheme: 'hmac', hash: 'sha1' },
  hmac_sha224: { op: 'mac', scheme: 'hmac', hash: 'sha224' },
  hmac_sha256: { op: 'mac', scheme: 'hmac', hash: 'sha256' },
  hmac_sha384: { op: 'mac', scheme: 'hmac', hash: 'sha384' },
  hmac_sha512: { op: 'mac', scheme: 'hmac', hash: 'sha512' },
  ecdh: { op: 'agree', scheme: 'ecdh' },
  ml_kem: { op: 'decapsulate', scheme: 'ml-kem' },
  x_wing: { op: 'decapsulate', scheme: 'x-wing' },
} as const satisfies Record<string, AlgorithmRow>
export type Algorithm = keyof typeof ALGORITHMS
export const ALGORITHM_NAMES = Object.keys(ALGORITHMS) as readonly Algorithm[]
export const algorithmRow = (algorithm: Algorithm): AlgorithmRow => ALGORITHMS[algorithm]

/**
 * What a key may be used for. `sign` and `verify` are separate because Azure can grant one of them. Raw AES has uses of
 * its own: no AES key serves both envelopes and raw modes (design section 5.3).
 */
export type KeyUse =
  | 'encrypt'
  | 'decrypt'
  | 'raw_encrypt'
  | 'raw_decrypt'
  | 'sign'
  | 'verify'
  | 'wrap'
  | 'unwrap'
  | 'mac_sign'
  | 'mac_verify'
  | 'derive'
  | 'encapsulate'
  | 'decapsulate'

/** The single use that AWS (KeyUsage) and GCP (purpose) fix at creation. */
export type Purpose =
  | 'encrypt_decrypt'
  | 'raw_encrypt_decrypt'
  | 'sign_verify'
  | 'mac'
  | 'key_agreement'
  | 'key_encapsulation'

type SpecRow =
  | { readonly type: 'aes'; readonly bytes: number; readonly algorithms: readonly Algorithm[] }
  | { readonly type: 'hmac'; readonly bytes: number; readonly algorithms: readonly Algorithm[] }
  | { readonly type: 'rsa'; readonly bits: number; readonly algorithms: readonly Algorithm[] }
  /** `curve` is OpenSSL's name, `jwk` the JOSE one, `oid` its DER in hex, `coordinate` the field size in bytes. */
  | {
      readonly type: 'ec'
      readonly curve: string
      readonly jwk: string
      readonly oid: string
      readonly coordinate: number
      readonly algorithms: readonly Algorithm[]
    }
  | { readonly type: 'ed25519'; readonly algorithms: readonly Algorithm[] }
  | { readonly type: 'x25519'; readonly algorithms: readonly Algorithm[] }
  /** `node` is node:crypto's key type, `parameterSet` PKCS#11's CKP_ML_DSA_*. */
  | {
      readonly type: 'ml-dsa'
      readonly node: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'
      readonly parameterSet: 1 | 2 | 3
      readonly signatureBytes: number
      readonly algorithms: readonly Algorithm[]
    }
  | {
      readonly type: 'slh-dsa'
      readonly node: 'slh-dsa-sha2-128s'
      readonly signatureBytes: number
      readonly algorithms: readonly Algorithm[]
    }
  | {
      readonly type: 'ml-kem'
      readonly node: 'ml-kem-512' | 'ml-kem-768' | 'ml-kem-1024'
      readonly ciphertextBytes: number
      readonly algorithms: readonly Algorithm[]
    }
  /** ML-KEM-768 and X25519 together (draft-connolly-cfrg-xwing-kem). */
  | { readonly type: 'x-wing'; readonly ciphertextBytes: number; readonly algorithms: readonly Algorithm[] }
export type KeySpecRow = SpecRow

const RSA_ALGORITHMS = [
  'rsa_oaep_sha256',
  'rsa_oaep_sha1',
  'rsa_oaep_sha512',
  'rsa_encrypt_pkcs1',
  'rsa_pss_sha256',
  'rsa_pss_sha384',
  'rsa_pss_sha512',
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
  'rsa_pkcs1_raw',
] as const satisfies readonly Algorithm[]

const RAW_AES_ALGORITHMS = [
  'aes_gcm',
  'aes_cbc',
  'aes_cbc_pad',
  'aes_ctr',
  'aes_kw',
  'aes_kwp',
] as const satisfies readonly Algorithm[]
const ML_DSA_ALGORITHMS = ['ml_dsa', 'ml_dsa_mu'] as const satisfies readonly Algorithm[]

export const KEY_SPECS = {
  aes_128: { type: 'aes', bytes: 16, algorithms: RAW_AES_ALGORITHMS },
  aes_192: { type: 'aes', bytes: 24, algorithms: RAW_AES_ALGORITHMS },
  aes_256: { type: 'aes', bytes: 32, algorithms: ['envelope_hmac_kdf', 'envelope_cbc_kdf', ...RAW_AES_ALGORITHMS] },
  rsa_2048: { type: 'rsa', bits: 2048, algorithms: RSA_ALGORITHMS },
  rsa_3072: { type: 'rsa', bits: 3072, algorithms: RSA_ALGORITHMS },
  rsa_4096: { type: 'rsa', bits: 4096, algorithms: RSA_ALGORITHMS },
  ec_p256: {
    type: 'ec',
    curve: 'prime256v1',
    jwk: 'P-256',
    oid: '06082a8648ce3d030107',
    coordinate: 32,
    algorithms: ['ecdsa_sha256', 'ecdh'],
  },
  ec_p384: {
    type: 'ec',
    curve: 'secp384r1',
    jwk: 'P-384',
    oid: '06052b81040022',
    coordinate: 48,
    algorithms: ['ecdsa_sha384', 'ecdh'],
  },
  ec_p521: {
    type: 'ec',
    curve: 'secp521r1',
    jwk: 'P-521',
    oid: '06052b81040023',
    coordinate: 66,
    algorithms: ['ecdsa_sha512', 'ecdh'],
  },
  ec_secp256k1: {
    type: 'ec',
    curve: 'secp256k1',
    jwk: 'secp256k1',
    oid: '06052b8104000a',
    coordinate: 32,
    algorithms: ['ecdsa_sha256', 'ecdh'],
  },
  ed25519: { type: 'ed25519', algorithms: ['ed25519', 'ed25519_ph'] },
  x25519: { type: 'x25519', algorithms: ['ecdh'] },
  hmac_160: { type: 'hmac', bytes: 20, algorithms: ['hmac_sha1'] },
  hmac_224: { type: 'hmac', bytes: 28, algorithms: ['hmac_sha224'] },
  hmac_256: { type: 'hmac', bytes: 32, algorithms: ['hmac_sha256'] },
  hmac_384: { type: 'hmac', bytes: 48, algorithms: ['hmac_sha384'] },
  hmac_512: { type: 'hmac', bytes: 64, algorithms: ['hmac_sha512'] },
  ml_dsa_44: {
    type: 'ml-dsa',
    node: 'ml-dsa-44',
    parameterSet: 1,
    signatureBytes: 2420,
    algorithms: ML_DSA_ALGORITHMS,
  },
  ml_dsa_65: {
    type: 'ml-dsa',
    node: 'ml-dsa-65',
    parameterSet: 2,
    signatureBytes: 3309,
    algorithms: ML_DSA_ALGORITHMS,
  },
  ml_dsa_87: {
    type: 'ml-dsa',
    node: 'ml-dsa-87',
    parameterSet: 3,
    signatureBytes: 4627,
    algorithms: ML_DSA_ALGORITHMS,
  },
  slh_dsa_sha2_128s: {
    type: 'slh-dsa',
    node: 'slh-dsa-sha2-128s',
    signatureBytes: 7856,
    algorithms: ['slh_dsa', 'slh_dsa_sha256'],
  },
  ml_kem_512: { type: 'ml-kem', node: 'ml-kem-512', ciphertextBytes: 768, algorithms: ['ml_kem'] },
  ml_kem_768: { type: 'ml-kem', node: 'ml-kem-768', ciphertextBytes: 1088, algorithms: ['ml_kem'] },
  ml_kem_1024: { type: 'ml-kem', node: 'ml-kem-1024', ciphertextBytes: 1568, algorithms: ['ml_kem'] },
  x_wing: { type: 'x-wing', ciphertextBytes: 1120, algorithms: ['x_wing'] },
} as const satisfies Record<string, SpecRow>
export type KeySpec = keyof typeof KEY_SPECS
export const KEY_SPEC_NAMES = Object.keys(KEY_SPECS) as readonly KeySpec[]
export const specRow = (spec: KeySpec): SpecRow => KEY_SPECS[spec]

/** Whether the table pairs them at all; `CryptoBackend.supports` says whether a backend can. */
export const specHas = (spec: KeySpec, algorithm: Algorithm): boolean => specRow(spec).algorithms.includes(algorithm)

/** Sign, MAC and key-agreement keys have no public half to hand out when symmetric. */
export const isAsymmetric = (spec: KeySpec): boolean => {
  const { type } = specRow(spec)
  return type !== 'aes' && type !== 'hmac'
}

/** The purpose of the keys that an algorithm is for. */
export function purposeOfAlgorithm(algorithm: Algorithm): Purpose {
  const row = algorithmRow(algorithm)
  switch (row.op) {
    case 'sign':
      return 'sign_verify'
    case 'mac':
      return 'mac'
    case 'agree':
      return 'key_agreement'
    case 'decapsulate':
      return 'key_encapsulation'
    case 'encrypt':
      return row.scheme === 'aes' ? 'raw_encrypt_decrypt' : 'encrypt_decrypt'
  }
}

/** Uses that a purpose stands for. RSA wrapping is RSA encryption under another name (Azure has both), AES wrapping raw AES. */
export function usesOf(purpose: Purpose, spec: KeySpec): readonly KeyUse[] {
  switch (purpose) {
    case 'sign_verify':
      return ['sign', 'verify']
    case 'mac':
      return ['mac_sign', 'mac_verify']
    case 'encrypt_decrypt':
      return isAsymmetric(spec) ? ['encrypt', 'decrypt', 'wrap', 'unwrap'] : ['encrypt', 'decrypt']
    case 'raw_encrypt_decrypt':
      return ['raw_encrypt', 'raw_decrypt', 'wrap', 'unwrap']
    case 'key_agreement':
      return ['derive']
    case 'key_encapsulation':
      return ['encapsulate', 'decapsulate']
  }
}

export const PURPOSES = [
  'sign_verify',
  'encrypt_decrypt',
  'raw_encrypt_decrypt',
  'mac',
  'key_agreement',
  'key_encapsulation',
] as const satisfies readonly Purpose[]

/** Purposes a spec can have, the one that it has when none is asked for first. */
export function purposesOf(spec: KeySpec): readonly Purpose[] {
  const possible = new Set(specRow(spec).algorithms.map(purposeOfAlgorithm))
  return PURPOSES.filter((purpose) => possible.has(purpose))
}

/** The purpose that stands for a set of uses: sign before decrypt (design section 1). */
export function purposeOf(uses: readonly KeyUse[], spec: KeySpec): Purpose {
  const possible = purposesOf(spec)
  const asked = possible.find((purpose) => usesOf(purpose, spec).some((use) => uses.includes(use)))
  return asked ?? possible[0] ?? 'encrypt_decrypt'
}

/** Only RSA keys can have uses of more than one purpose, as Azure's do. */
export const mixesPurposes = (spec: KeySpec): boolean => specRow(spec).type === 'rsa'

/**
 * Largest plaintext of an RSA encryption, or message of a raw signature, in bytes (RFC 8017 sections 7.1.1, 7.2.1 and
 * 8.2.1); undefined for schemes that have no such limit.
 */
export function maxPlaintext(spec: KeySpec, algorithm: Algorithm): number | undefined {
  const key = specRow(spec)
  const row = algorithmRow(algorithm)
  if (key.type !== 'rsa') return undefined
  if (row.scheme === 'rsa-pkcs1-raw') return key.bits / 8 - 11
  if (row.op !== 'encrypt') return undefined
  if (row.scheme === 'rsa-oaep') return key.bits / 8 - 2 * HASH_BYTES[row.hash] - 2
  return row.scheme === 'rsa-pkcs1' ? key.bits / 8 - 11 : undefined
}
