/** Azure's names of algorithms, and what each demands of a key. */
import { type Algorithm, algorithmRow, type Hash, KEY_SPECS, type KeySpec } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { KeyVersion } from '../../core/key.ts'
import { type Feature, knows } from './api-version.ts'
import { AKP_ALGORITHMS, CURVES, type Curve, curveOf, isAkpAlgorithm } from './names.ts'

type SignatureRow = { readonly algorithm: Algorithm; readonly hash: Hash; readonly curve?: Curve }
export const SIGNATURES = {
  RS256: { algorithm: 'rsa_pkcs1_sha256', hash: 'sha256' },
  RS384: { algorithm: 'rsa_pkcs1_sha384', hash: 'sha384' },
  RS512: { algorithm: 'rsa_pkcs1_sha512', hash: 'sha512' },
  PS256: { algorithm: 'rsa_pss_sha256', hash: 'sha256' },
  PS384: { algorithm: 'rsa_pss_sha384', hash: 'sha384' },
  PS512: { algorithm: 'rsa_pss_sha512', hash: 'sha512' },
  ES256: { algorithm: 'ecdsa_sha256', hash: 'sha256', curve: 'P-256' },
  ES256K: { algorithm: 'ecdsa_sha256', hash: 'sha256', curve: 'P-256K' },
  ES384: { algorithm: 'ecdsa_sha384', hash: 'sha384', curve: 'P-384' },
  ES512: { algorithm: 'ecdsa_sha512', hash: 'sha512', curve: 'P-521' },
} as const satisfies Record<string, SignatureRow>
export type SignatureName = keyof typeof SIGNATURES

export const ENCRYPTIONS = {
  'RSA-OAEP': 'rsa_oaep_sha1',
  'RSA-OAEP-256': 'rsa_oaep_sha256',
  RSA1_5: 'rsa_encrypt_pkcs1',
} as const satisfies Record<string, Algorithm>
export type EncryptionName = keyof typeof ENCRYPTIONS

/** `spec` where the name says the size of the key; `wraps`: for wrapKey and unwrapKey, the others for encrypt and decrypt. */
type OctRow = {
  readonly algorithm: Algorithm
  readonly spec?: KeySpec
  readonly wraps: boolean
  /** Where it came later than the others. */
  readonly feature?: Feature
}
export const OCT_ALGORITHMS = {
  A128GCM: { algorithm: 'aes_gcm', spec: 'aes_128', wraps: false },
  A192GCM: { algorithm: 'aes_gcm', spec: 'aes_192', wraps: false },
  A256GCM: { algorithm: 'aes_gcm', spec: 'aes_256', wraps: false },
  A128CBC: { algorithm: 'aes_cbc', spec: 'aes_128', wraps: false },
  A192CBC: { algorithm: 'aes_cbc', spec: 'aes_192', wraps: false },
  A256CBC: { algorithm: 'aes_cbc', spec: 'aes_256', wraps: false },
  A128CBCPAD: { algorithm: 'aes_cbc_pad', spec: 'aes_128', wraps: false },
  A192CBCPAD: { algorithm: 'aes_cbc_pad', spec: 'aes_192', wraps: false },
  A256CBCPAD: { algorithm: 'aes_cbc_pad', spec: 'aes_256', wraps: false },
  A128KW: { algorithm: 'aes_kw', spec: 'aes_128', wraps: true },
  A192KW: { algorithm: 'aes_kw', spec: 'aes_192', wraps: true },
  A256KW: { algorithm: 'aes_kw', spec: 'aes_256', wraps: true },
  CKM_AES_KEY_WRAP: { algorithm: 'aes_kw', wraps: true, feature: 'ckm' },
  CKM_AES_KEY_WRAP_PAD: { algorithm: 'aes_kwp', wraps: true, feature: 'ckm' },
} as const satisfies Record<string, OctRow>
export const isOctAlgorithm = (alg: string): alg is keyof typeof OCT_ALGORITHMS => Object.hasOwn(OCT_ALGORITHMS, alg)

/** What an AES algorithm demands of a key, and the mode that it is. */
export function octAlgorithm(apiVersion: string, alg: string, wraps: boolean) {
  const row: OctRow | undefined = isOctAlgorithm(alg) ? OCT_ALGORITHMS[alg] : undefined
  if (row === undefined || row.wraps !== wraps || !knows(apiVersion, row.feature ?? 'aes'))
    throw invalidArgument('alg', 'not an algorithm of this operation')
  const { algorithm, spec: named } = row
  const mode = algorithmRow(algorithm)
  if (mode.op !== 'encrypt' || mode.scheme !== 'aes') throw new KmsError('internal')
  const choose = ({ spec }: Pick<KeyVersion, 'spec'>): Algorithm => {
    if (named !== undefined && named !== spec) throw new KmsError('algorithm_mismatch', { algorithm: alg, spec })
    return algorithm
  }
  return { choose, mode: mode.mode, ivBytes: mode.ivBytes }
}

export function signatureRow(alg: string): SignatureRow {
  if (!Object.hasOwn(SIGNATURES, alg)) throw invalidArgument('alg', 'not a signature algorithm of this service')
  return SIGNATURES[alg as SignatureName]
}

export function encryptionAlgorithm(alg: string): Algorithm {
  if (!Object.hasOwn(ENCRYPTIONS, alg)) throw invalidArgument('alg', 'not an encryption algorithm of this service')
  return ENCRYPTIONS[alg as EncryptionName]
}

/**
 * The algorithm of a signature name. JOSE names the curve of an ECDSA signature along with its hash, so that the key's
 * has to be that one.
 */
export function signatureAlgorithm(alg: string): (version: Pick<KeyVersion, 'spec'>) => Algorithm {
  const { algorithm, curve } = signatureRow(alg)
  return ({ spec }) => {
    if (curve !== undefined && CURVES[curve] !== spec) {
      const own = curveOf(spec)
      const curves = own === undefined ? {} : { curve: own, needed: curve }
      throw new KmsError('algorithm_mismatch', { algorithm: alg, spec, ...curves })
    }
    return algorithm
  }
}

/** An AKP key has one algorithm, which may go unsaid. */
export function akpAlgorithm(
  alg: string | undefined,
  algorithm: 'ml_dsa' | 'ml_dsa_mu',
): (version: Pick<KeyVersion, 'spec'>) => Algorithm {
  return ({ spec }) => {
    const named = alg === undefined || (isAkpAlgorithm(alg) && AKP_ALGORITHMS[alg] === spec)
    if (!named || KEY_SPECS[spec].type !== 'ml-dsa')
      throw new KmsError('algorithm_mismatch', { algorithm: alg ?? 'AKP', spec })
    return algorithm
  }
}
