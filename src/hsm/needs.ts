/** What of a token each algorithm needs. Known without opening one. */
import { type AesMode, type Algorithm, algorithmRow } from '../core/algorithm.ts'
import { CKM, HASH_PARAMS, HMAC_MECHANISMS } from './mechanisms.ts'

const AES_MECHANISMS: Readonly<Record<AesMode, number>> = {
  gcm: CKM.AES_GCM,
  cbc: CKM.AES_CBC,
  'cbc-pad': CKM.AES_CBC_PAD,
  ctr: CKM.AES_CTR,
  kw: CKM.AES_ECB,
  kwp: CKM.AES_ECB,
}

/** Mechanisms without which the algorithm can't work; undefined where no token can do it. OAEP has two ways. */
export function needs(algorithm: Algorithm): readonly number[] | undefined {
  const row = algorithmRow(algorithm)
  switch (row.scheme) {
    case 'envelope':
      return row.kdf === 'aes-cbc' ? [CKM.AES_CBC_ENCRYPT_DATA, CKM.AES_GCM] : undefined
    case 'rsa-oaep':
      return []
    case 'rsa-pkcs1':
      return row.op === 'encrypt' ? [CKM.RSA_X_509] : [CKM.RSA_PKCS]
    case 'rsa-pss':
      return [CKM.RSA_PKCS_PSS, HASH_PARAMS[row.hash].hashAlg]
    case 'ecdsa':
      return [CKM.ECDSA]
    case 'rsa-pkcs1-raw':
      return [CKM.RSA_PKCS]
    case 'ed25519':
      return [CKM.EDDSA]
    case 'ml-dsa':
      return [CKM.ML_DSA]
    case 'hmac':
      return [HMAC_MECHANISMS[row.hash]]
    case 'aes':
      return [AES_MECHANISMS[row.mode]]
    case 'ecdh':
      return [CKM.ECDH1_DERIVE]
    // What PKCS#11 v2.40 has no call for is not tried.
    case 'ed25519ph':
    case 'ml-dsa-mu':
    case 'slh-dsa':
    case 'hash-slh-dsa':
    case 'ml-kem':
    case 'x-wing':
      return undefined
  }
}
