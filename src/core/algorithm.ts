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

type EncryptRow =
  /** A key per message (design section 5.3). `kdf` says how it is derived, the envelope's algorithm byte which was used. */
  | {
      readonly op: 'encrypt'
      readonly scheme: 'envelope'
      readonly kdf: 'hmac-sha256' | 'aes-cbc'
      readonly wire: number
    }
  /** `hash` is the OAEP hash and the MGF1 hash. */
  | { readonly op: 'encrypt'; readonly scheme: 'rsa-oaep'; readonly hash: Hash }
  | { readonly op: 'encrypt'; readonly scheme: 'rsa-pkcs1' }
type SignRow =
  | { readonly op: 'sign'; readonly scheme: 'rsa-pss' | 'rsa-pkcs1'; readonly hash: Hash }
  | { readonly op: 'sign'; readonly scheme: 'ecdsa'; readonly hash: Hash }
  | { readonly op: 'sign'; readonly scheme: 'ed25519' }
  | { readonly op: 'sign'; readonly scheme: 'ml-dsa' }
type MacRow = { readonly op: 'mac'; readonly scheme: 'hmac'; readonly hash: Hash }
export type AlgorithmRow = EncryptRow | SignRow | MacRow

export const ALGORITHMS = {
  envelope_hmac_kdf: { op: 'encrypt', scheme: 'envelope', kdf: 'hmac-sha256', wire: 1 },
  envelope_cbc_kdf: { op: 'encrypt', scheme: 'envelope', kdf: 'aes-cbc', wire: 2 },
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
  ecdsa_sha256: { op: 'sign', scheme: 'ecdsa', hash: 'sha256' },
  ecdsa_sha384: { op: 'sign', scheme: 'ecdsa', hash: 'sha384' },
  ecdsa_sha512: { op: 'sign', scheme: 'ecdsa', hash: 'sha512' },
  ed25519: { op: 'sign', scheme: 'ed25519' },
  ml_dsa: { op: 'sign', scheme: 'ml-dsa' },
  hmac_sha256: { op: 'mac', scheme: 'hmac', hash: 'sha256' },
  hmac_sha384: { op: 'mac', scheme: 'hmac', hash: 'sha384' },
  hmac_sha512: { op: 'mac', scheme: 'hmac', hash: 'sha512' },
} as const satisfies Record<string, AlgorithmRow>
export type Algorithm = keyof typeof ALGORITHMS
export const ALGORITHM_NAMES = Object.keys(ALGORITHMS) as readonly Algorithm[]
export const algorithmRow = (algorithm: Algorithm): AlgorithmRow => ALGORITHMS[algorithm]

/** What a key may be used for. `sign` and `verify` are separate because Azure can grant one of them. */
export type KeyUse = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'wrap' | 'unwrap' | 'mac_sign' | 'mac_verify'

/** The single use that AWS (KeyUsage) and GCP (purpose) fix at creation. */
export type Purpose = 'encrypt_decrypt' | 'sign_verify' | 'mac'

type SpecRow =
  | { readonly type: 'aes'; readonly bytes: number; readonly algorithms: readonly Algorithm[] }
  | { readonly type: 'hmac'; readonly bytes: number; readonly algorithms: readonly Algorithm[] }
  | { readonly type: 'rsa'; readonly bits: number; readonly algorithms: readonly Algorithm[] }
  /** `curve` is OpenSSL's name, `jwk` the JOSE one, `coordinate` the field size in bytes. */
  | {
      readonly type: 'ec'
      readonly curve: string
      readonly jwk: string
      readonly coordinate: number
      readonly algorithms: readonly Algorithm[]
    }
  | { readonly type: 'ed25519'; readonly algorithms: readonly Algorithm[] }
  /** `node` is node:crypto's key type, `parameterSet` PKCS#11's CKP_ML_DSA_*. */
  | {
      readonly type: 'ml-dsa'
      readonly node: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'
      readonly parameterSet: 1 | 2 | 3
      readonly signatureBytes: number
      readonly algorithms: readonly Algorithm[]
    }
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
] as const satisfies readonly Algorithm[]

export const KEY_SPECS = {
  aes_256: { type: 'aes', bytes: 32, algorithms: ['envelope_hmac_kdf', 'envelope_cbc_kdf'] },
  rsa_2048: { type: 'rsa', bits: 2048, algorithms: RSA_ALGORITHMS },
  rsa_3072: { type: 'rsa', bits: 3072, algorithms: RSA_ALGORITHMS },
  rsa_4096: { type: 'rsa', bits: 4096, algorithms: RSA_ALGORITHMS },
  ec_p256: { type: 'ec', curve: 'prime256v1', jwk: 'P-256', coordinate: 32, algorithms: ['ecdsa_sha256'] },
  ec_p384: { type: 'ec', curve: 'secp384r1', jwk: 'P-384', coordinate: 48, algorithms: ['ecdsa_sha384'] },
  ec_p521: { type: 'ec', curve: 'secp521r1', jwk: 'P-521', coordinate: 66, algorithms: ['ecdsa_sha512'] },
  ec_secp256k1: { type: 'ec', curve: 'secp256k1', jwk: 'secp256k1', coordinate: 32, algorithms: ['ecdsa_sha256'] },
  ed25519: { type: 'ed25519', algorithms: ['ed25519'] },
  hmac_256: { type: 'hmac', bytes: 32, algorithms: ['hmac_sha256'] },
  hmac_384: { type: 'hmac', bytes: 48, algorithms: ['hmac_sha384'] },
  hmac_512: { type: 'hmac', bytes: 64, algorithms: ['hmac_sha512'] },
  ml_dsa_44: { type: 'ml-dsa', node: 'ml-dsa-44', parameterSet: 1, signatureBytes: 2420, algorithms: ['ml_dsa'] },
  ml_dsa_65: { type: 'ml-dsa', node: 'ml-dsa-65', parameterSet: 2, signatureBytes: 3309, algorithms: ['ml_dsa'] },
  ml_dsa_87: { type: 'ml-dsa', node: 'ml-dsa-87', parameterSet: 3, signatureBytes: 4627, algorithms: ['ml_dsa'] },
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

/** Uses that a purpose stands for. RSA wrapping is RSA encryption under another name (Azure has both). */
export function usesOf(purpose: Purpose, spec: KeySpec): readonly KeyUse[] {
  switch (purpose) {
    case 'sign_verify':
      return ['sign', 'verify']
    case 'mac':
      return ['mac_sign', 'mac_verify']
    case 'encrypt_decrypt':
      return isAsymmetric(spec) ? ['encrypt', 'decrypt', 'wrap', 'unwrap'] : ['encrypt', 'decrypt']
  }
}

/** Purposes a spec can have; RSA alone has two. */
export function purposesOf(spec: KeySpec): readonly Purpose[] {
  const ops = new Set(specRow(spec).algorithms.map((algorithm) => ALGORITHMS[algorithm].op))
  const purposes: Purpose[] = []
  if (ops.has('sign')) purposes.push('sign_verify')
  if (ops.has('encrypt')) purposes.push('encrypt_decrypt')
  if (ops.has('mac')) purposes.push('mac')
  return purposes
}

/** The purpose that stands for a set of uses: sign before decrypt (design section 1). */
export function purposeOf(uses: readonly KeyUse[], spec: KeySpec): Purpose {
  if (uses.includes('sign') || uses.includes('verify')) return 'sign_verify'
  if (uses.includes('mac_sign') || uses.includes('mac_verify')) return 'mac'
  return uses.length === 0 ? (purposesOf(spec)[0] ?? 'encrypt_decrypt') : 'encrypt_decrypt'
}

/** Largest plaintext of an RSA encryption, bytes (RFC 8017 sections 7.1.1 and 7.2.1); undefined for a symmetric scheme. */
export function maxPlaintext(spec: KeySpec, algorithm: Algorithm): number | undefined {
  const key = specRow(spec)
  const row = algorithmRow(algorithm)
  if (key.type !== 'rsa' || row.op !== 'encrypt') return undefined
  if (row.scheme === 'rsa-oaep') return key.bits / 8 - 2 * HASH_BYTES[row.hash] - 2
  return row.scheme === 'rsa-pkcs1' ? key.bits / 8 - 11 : undefined
}
