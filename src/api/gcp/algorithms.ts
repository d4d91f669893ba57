/** Google Cloud's algorithms, purposes, protection levels and states, and the core's words for them. One table each. */
import { type Algorithm, isAsymmetric, type KeySpec, type Purpose } from '../../core/algorithm.ts'
import { KmsError } from '../../core/error.ts'
import { effectiveVersionState, type Key, type KeyVersion, type Protection, type VersionState } from '../../core/key.ts'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as GcpAlgorithm,
  CryptoKey_CryptoKeyPurpose as GcpPurpose,
  CryptoKeyVersion_CryptoKeyVersionState as GcpState,
  ProtectionLevel,
} from './gen/google/cloud/kms/v1/resources_pb.js'
import { badArgument, RpcError } from './status.ts'

export { GcpAlgorithm, GcpPurpose, GcpState, ProtectionLevel }

export type AlgorithmRow = {
  readonly gcp: GcpAlgorithm
  readonly purpose: GcpPurpose
  readonly spec: KeySpec
  /** Absent for envelope encryption, whose algorithm the backend chooses. */
  readonly algorithm?: Algorithm
  /** Google offers it for HSM keys only. */
  readonly hsmOnly?: true
}

const { ENCRYPT_DECRYPT, RAW_ENCRYPT_DECRYPT, ASYMMETRIC_SIGN, ASYMMETRIC_DECRYPT, MAC, KEY_ENCAPSULATION } = GcpPurpose

const row = (gcp: GcpAlgorithm, purpose: GcpPurpose, spec: KeySpec, algorithm?: Algorithm): AlgorithmRow =>
  algorithm === undefined ? { gcp, purpose, spec } : { gcp, purpose, spec, algorithm }

/**
 * For a key that no algorithm was chosen for (AWS and Azure choose one per request) the first row of its spec and
 * purpose is what Google's clients see: PKCS #1 v1.5 with SHA-256 for RSA signing, OAEP with SHA-256 for decryption.
 */
export const ALGORITHM_ROWS: readonly AlgorithmRow[] = [
  row(GcpAlgorithm.GOOGLE_SYMMETRIC_ENCRYPTION, ENCRYPT_DECRYPT, 'aes_256'),
  row(GcpAlgorithm.AES_128_GCM, RAW_ENCRYPT_DECRYPT, 'aes_128', 'aes_gcm'),
  row(GcpAlgorithm.AES_128_CBC, RAW_ENCRYPT_DECRYPT, 'aes_128', 'aes_cbc'),
  row(GcpAlgorithm.AES_128_CTR, RAW_ENCRYPT_DECRYPT, 'aes_128', 'aes_ctr'),
  row(GcpAlgorithm.AES_256_GCM, RAW_ENCRYPT_DECRYPT, 'aes_256', 'aes_gcm'),
  row(GcpAlgorithm.AES_256_CBC, RAW_ENCRYPT_DECRYPT, 'aes_256', 'aes_cbc'),
  row(GcpAlgorithm.AES_256_CTR, RAW_ENCRYPT_DECRYPT, 'aes_256', 'aes_ctr'),
  row(GcpAlgorithm.RSA_SIGN_PKCS1_2048_SHA256, ASYMMETRIC_SIGN, 'rsa_2048', 'rsa_pkcs1_sha256'),
  row(GcpAlgorithm.RSA_SIGN_PKCS1_3072_SHA256, ASYMMETRIC_SIGN, 'rsa_3072', 'rsa_pkcs1_sha256'),
  row(GcpAlgorithm.RSA_SIGN_PKCS1_4096_SHA256, ASYMMETRIC_SIGN, 'rsa_4096', 'rsa_pkcs1_sha256'),
  row(GcpAlgorithm.RSA_SIGN_PKCS1_4096_SHA512, ASYMMETRIC_SIGN, 'rsa_4096', 'rsa_pkcs1_sha512'),
  row(GcpAlgorithm.RSA_SIGN_PSS_2048_SHA256, ASYMMETRIC_SIGN, 'rsa_2048', 'rsa_pss_sha256'),
  row(GcpAlgorithm.RSA_SIGN_PSS_3072_SHA256, ASYMMETRIC_SIGN, 'rsa_3072', 'rsa_pss_sha256'),
  row(GcpAlgorithm.RSA_SIGN_PSS_4096_SHA256, ASYMMETRIC_SIGN, 'rsa_4096', 'rsa_pss_sha256'),
  row(GcpAlgorithm.RSA_SIGN_PSS_4096_SHA512, ASYMMETRIC_SIGN, 'rsa_4096', 'rsa_pss_sha512'),
  row(GcpAlgorithm.RSA_SIGN_RAW_PKCS1_2048, ASYMMETRIC_SIGN, 'rsa_2048', 'rsa_pkcs1_raw'),
  row(GcpAlgorithm.RSA_SIGN_RAW_PKCS1_3072, ASYMMETRIC_SIGN, 'rsa_3072', 'rsa_pkcs1_raw'),
  row(GcpAlgorithm.RSA_SIGN_RAW_PKCS1_4096, ASYMMETRIC_SIGN, 'rsa_4096', 'rsa_pkcs1_raw'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_2048_SHA256, ASYMMETRIC_DECRYPT, 'rsa_2048', 'rsa_oaep_sha256'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_3072_SHA256, ASYMMETRIC_DECRYPT, 'rsa_3072', 'rsa_oaep_sha256'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_4096_SHA256, ASYMMETRIC_DECRYPT, 'rsa_4096', 'rsa_oaep_sha256'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_4096_SHA512, ASYMMETRIC_DECRYPT, 'rsa_4096', 'rsa_oaep_sha512'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_2048_SHA1, ASYMMETRIC_DECRYPT, 'rsa_2048', 'rsa_oaep_sha1'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_3072_SHA1, ASYMMETRIC_DECRYPT, 'rsa_3072', 'rsa_oaep_sha1'),
  row(GcpAlgorithm.RSA_DECRYPT_OAEP_4096_SHA1, ASYMMETRIC_DECRYPT, 'rsa_4096', 'rsa_oaep_sha1'),
  row(GcpAlgorithm.EC_SIGN_P256_SHA256, ASYMMETRIC_SIGN, 'ec_p256', 'ecdsa_sha256'),
  row(GcpAlgorithm.EC_SIGN_P384_SHA384, ASYMMETRIC_SIGN, 'ec_p384', 'ecdsa_sha384'),
  { ...row(GcpAlgorithm.EC_SIGN_SECP256K1_SHA256, ASYMMETRIC_SIGN, 'ec_secp256k1', 'ecdsa_sha256'), hsmOnly: true },
  row(GcpAlgorithm.EC_SIGN_ED25519, ASYMMETRIC_SIGN, 'ed25519', 'ed25519'),
  row(GcpAlgorithm.HMAC_SHA1, MAC, 'hmac_160', 'hmac_sha1'),
  row(GcpAlgorithm.HMAC_SHA224, MAC, 'hmac_224', 'hmac_sha224'),
  row(GcpAlgorithm.HMAC_SHA256, MAC, 'hmac_256', 'hmac_sha256'),
  row(GcpAlgorithm.HMAC_SHA384, MAC, 'hmac_384', 'hmac_sha384'),
  row(GcpAlgorithm.HMAC_SHA512, MAC, 'hmac_512', 'hmac_sha512'),
  row(GcpAlgorithm.PQ_SIGN_ML_DSA_44, ASYMMETRIC_SIGN, 'ml_dsa_44', 'ml_dsa'),
  row(GcpAlgorithm.PQ_SIGN_ML_DSA_65, ASYMMETRIC_SIGN, 'ml_dsa_65', 'ml_dsa'),
  row(GcpAlgorithm.PQ_SIGN_ML_DSA_87, ASYMMETRIC_SIGN, 'ml_dsa_87', 'ml_dsa'),
  row(GcpAlgorithm.PQ_SIGN_ML_DSA_44_EXTERNAL_MU, ASYMMETRIC_SIGN, 'ml_dsa_44', 'ml_dsa_mu'),
  row(GcpAlgorithm.PQ_SIGN_ML_DSA_65_EXTERNAL_MU, ASYMMETRIC_SIGN, 'ml_dsa_65', 'ml_dsa_mu'),
  row(GcpAlgorithm.PQ_SIGN_ML_DSA_87_EXTERNAL_MU, ASYMMETRIC_SIGN, 'ml_dsa_87', 'ml_dsa_mu'),
  row(GcpAlgorithm.PQ_SIGN_SLH_DSA_SHA2_128S, ASYMMETRIC_SIGN, 'slh_dsa_sha2_128s', 'slh_dsa'),
  row(GcpAlgorithm.PQ_SIGN_HASH_SLH_DSA_SHA2_128S_SHA256, ASYMMETRIC_SIGN, 'slh_dsa_sha2_128s', 'slh_dsa_sha256'),
  row(GcpAlgorithm.ML_KEM_768, KEY_ENCAPSULATION, 'ml_kem_768', 'ml_kem'),
  row(GcpAlgorithm.ML_KEM_1024, KEY_ENCAPSULATION, 'ml_kem_1024', 'ml_kem'),
  row(GcpAlgorithm.KEM_XWING, KEY_ENCAPSULATION, 'x_wing', 'x_wing'),
]

/** Purposes that a core key can have; Google has more. */
export const CORE_PURPOSES: ReadonlyMap<GcpPurpose, Purpose> = new Map([
  [ENCRYPT_DECRYPT, 'encrypt_decrypt'],
  [ASYMMETRIC_DECRYPT, 'encrypt_decrypt'],
  [ASYMMETRIC_SIGN, 'sign_verify'],
  [MAC, 'mac'],
  [RAW_ENCRYPT_DECRYPT, 'raw_encrypt_decrypt'],
  [KEY_ENCAPSULATION, 'key_encapsulation'],
])

/** Undefined: Google has none (key agreement). */
const PURPOSES = {
  encrypt_decrypt: ENCRYPT_DECRYPT,
  raw_encrypt_decrypt: RAW_ENCRYPT_DECRYPT,
  sign_verify: ASYMMETRIC_SIGN,
  mac: MAC,
  key_agreement: undefined,
  key_encapsulation: KEY_ENCAPSULATION,
} as const satisfies Record<Purpose, GcpPurpose | undefined>

export function purposeOf(key: Pick<Key, 'purpose' | 'spec'>): GcpPurpose {
  if (key.purpose === 'encrypt_decrypt' && isAsymmetric(key.spec)) return ASYMMETRIC_DECRYPT
  return PURPOSES[key.purpose] ?? GcpPurpose.CRYPTO_KEY_PURPOSE_UNSPECIFIED
}

type Chosen = { readonly spec: KeySpec; readonly algorithms?: readonly Algorithm[] }

/** What Google would call the algorithm of a key's version or template; undefined where it has no name for it. */
export function algorithmOf(purpose: GcpPurpose, chosen: Chosen): AlgorithmRow | undefined {
  const { spec, algorithms } = chosen
  const allowed = ({ algorithm }: AlgorithmRow) =>
    algorithms === undefined || algorithm === undefined || algorithms.includes(algorithm)
  return ALGORITHM_ROWS.find(
    (candidate) => candidate.purpose === purpose && candidate.spec === spec && allowed(candidate),
  )
}

/**
 * The algorithm of a version in use. Asked by the kernel, which knows the core's errors alone.
 * @throws KmsError algorithm_mismatch
 */
export function algorithmInUse(purpose: GcpPurpose, version: KeyVersion): Algorithm {
  const algorithm = algorithmOf(purpose, version)?.algorithm
  if (algorithm !== undefined) return algorithm
  throw new KmsError('algorithm_mismatch', { algorithm: GcpPurpose[purpose] ?? '', spec: version.spec })
}

/** A key that Google's contract can't describe (P-521, PSS with SHA-384) is not shown to its clients. */
export const expressible = (key: Key): boolean => algorithmOf(purposeOf(key), key) !== undefined

/** @throws RpcError for an algorithm that is unknown, of another purpose, or not there yet */
export function rowFor(purpose: GcpPurpose, asked: GcpAlgorithm): AlgorithmRow {
  const symmetric = purpose === ENCRYPT_DECRYPT && asked === GcpAlgorithm.CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED
  const gcp = symmetric ? GcpAlgorithm.GOOGLE_SYMMETRIC_ENCRYPTION : asked
  const name = GcpAlgorithm[gcp]
  if (name === undefined || gcp === GcpAlgorithm.CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED) {
    throw badArgument(
      `An algorithm is required in version_template for a CryptoKey with purpose ${GcpPurpose[purpose]}.`,
    )
  }
  const found = ALGORITHM_ROWS.find((candidate) => candidate.gcp === gcp)
  if (found === undefined) throw new RpcError('UNIMPLEMENTED', `Algorithm ${name} is not supported.`)
  if (found.purpose !== purpose) {
    throw badArgument(`Algorithm ${name} can't be used with a CryptoKey of purpose ${GcpPurpose[purpose]}.`)
  }
  return found
}

/** Absent: where the configuration puts keys that ask for none. */
export function protectionFor(level: ProtectionLevel): 'software' | 'hsm' | undefined {
  switch (level) {
    case ProtectionLevel.PROTECTION_LEVEL_UNSPECIFIED:
      return undefined
    case ProtectionLevel.SOFTWARE:
      return 'software'
    case ProtectionLevel.HSM:
      return 'hsm'
    default: {
      const name = ProtectionLevel[level]
      if (name === undefined) throw badArgument('Unknown protection level.')
      throw new RpcError('UNIMPLEMENTED', `Protection level ${name} is not supported.`)
    }
  }
}
const PROTECTION_LEVELS = {
  software: ProtectionLevel.SOFTWARE,
  hsm: ProtectionLevel.HSM,
  external: ProtectionLevel.EXTERNAL,
} as const satisfies Record<Protection, ProtectionLevel>

export const protectionOf = ({ protection }: Pick<Key, 'protection'>): ProtectionLevel => PROTECTION_LEVELS[protection]

const STATES: Readonly<Record<VersionState, GcpState>> = {
  pending_generation: GcpState.PENDING_GENERATION,
  generation_failed: GcpState.GENERATION_FAILED,
  pending_import: GcpState.PENDING_IMPORT,
  import_failed: GcpState.IMPORT_FAILED,
  enabled: GcpState.ENABLED,
  disabled: GcpState.DISABLED,
  destroy_scheduled: GcpState.DESTROY_SCHEDULED,
  destroyed: GcpState.DESTROYED,
  pending_external_destruction: GcpState.PENDING_EXTERNAL_DESTRUCTION,
  external_destruction_failed: GcpState.EXTERNAL_DESTRUCTION_FAILED,
}
export const stateOf = (key: Key, version: KeyVersion): GcpState => STATES[effectiveVersionState(key, version)]
