/** What of a token each algorithm needs. Known without opening one. */
import { type Algorithm, algorithmRow } from '../core/algorithm.ts'
import { CKM, HASH_PARAMS, HMAC_MECHANISMS } from './mechanisms.ts'

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
    // AES keys of a token only derive; and what PKCS#11 v2.40 has no call for is not tried.
    case 'aes':
    case 'ed25519ph':
    case 'ml-dsa-mu':
    case 'slh-dsa':
    case 'hash-slh-dsa':
    case 'ecdh':
    case 'ml-kem':
    case 'x-wing':
      return undefined
  }
}
