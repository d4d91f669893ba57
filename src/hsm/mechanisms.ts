/**
 * PKCS#11 numbers (OASIS v2.40 and v3.2 headers). Written out because graphene-pk11 stops at v2.40 and pkcs11js takes
 * plain numbers for everything newer.
 */
import type { Hash } from '../core/algorithm.ts'

export const CKM = {
  RSA_PKCS_KEY_PAIR_GEN: 0x0000,
  RSA_PKCS: 0x0001,
  RSA_X_509: 0x0003,
  RSA_PKCS_OAEP: 0x0009,
  RSA_PKCS_PSS: 0x000d,
  ML_DSA_KEY_PAIR_GEN: 0x001c,
  ML_DSA: 0x001d,
  SHA_1: 0x0220,
  SHA_1_HMAC: 0x0221,
  SHA256: 0x0250,
  SHA256_HMAC: 0x0251,
  SHA224: 0x0255,
  SHA224_HMAC: 0x0256,
  SHA384: 0x0260,
  SHA384_HMAC: 0x0261,
  SHA512: 0x0270,
  SHA512_HMAC: 0x0271,
  GENERIC_SECRET_KEY_GEN: 0x0350,
  EC_KEY_PAIR_GEN: 0x1040,
  ECDSA: 0x1041,
  ECDH1_DERIVE: 0x1050,
  EC_EDWARDS_KEY_PAIR_GEN: 0x1055,
  EC_MONTGOMERY_KEY_PAIR_GEN: 0x1056,
  EDDSA: 0x1057,
  AES_KEY_GEN: 0x1080,
  AES_ECB: 0x1081,
  AES_CBC: 0x1082,
  AES_CBC_PAD: 0x1085,
  AES_CTR: 0x1086,
  AES_GCM: 0x1087,
  AES_CBC_ENCRYPT_DATA: 0x1105,
  AES_KEY_WRAP: 0x2109,
  AES_KEY_WRAP_PAD: 0x210a,
  AES_KEY_WRAP_KWP: 0x210b,
} as const

export const CKA = {
  CLASS: 0x000,
  TOKEN: 0x001,
  PRIVATE: 0x002,
  LABEL: 0x003,
  VALUE: 0x011,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  WRAP: 0x106,
  UNWRAP: 0x107,
  SIGN: 0x108,
  DERIVE: 0x10c,
  MODULUS: 0x120,
  MODULUS_BITS: 0x121,
  PUBLIC_EXPONENT: 0x122,
  PRIVATE_EXPONENT: 0x123,
  PRIME_1: 0x124,
  PRIME_2: 0x125,
  EXPONENT_1: 0x126,
  EXPONENT_2: 0x127,
  COEFFICIENT: 0x128,
  VALUE_LEN: 0x161,
  EXTRACTABLE: 0x162,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
  PARAMETER_SET: 0x61d,
  SEED: 0x637,
} as const

export const CKO = { PUBLIC_KEY: 2, PRIVATE_KEY: 3, SECRET_KEY: 4 } as const
export type ObjectClass = (typeof CKO)['PRIVATE_KEY' | 'SECRET_KEY']

export const CKK = {
  RSA: 0x00,
  EC: 0x03,
  GENERIC_SECRET: 0x10,
  AES: 0x1f,
  EC_EDWARDS: 0x40,
  EC_MONTGOMERY: 0x41,
  ML_DSA: 0x4a,
} as const

/** Session flags and states, user types, initialisation flags. */
export const CKF_SERIAL_RW = 0x4 | 0x2
export const CKF_OS_LOCKING_OK = 0x2
export const CKS_RW_USER_FUNCTIONS = 3
export const CKU_USER = 1

/** pkcs11js' own tags, which say how it lays a parameter out in memory. */
export const PARAMS = { CBC_DATA: 1, OAEP: 4, PSS: 5, ECDH1: 6, GCM: 7, DES_CBC_DATA: 20 } as const

/** Hedge variants (PKCS#11 v3.2). */
export const CKH = { HEDGE_PREFERRED: 0, DETERMINISTIC_REQUIRED: 2 } as const

export const CKZ_DATA_SPECIFIED = 1
export const CKD_NULL = 1

/** A hash as an argument of OAEP and PSS: its mechanism and its MGF1. */
export const HASH_PARAMS: Readonly<Record<Hash, { readonly hashAlg: number; readonly mgf: number }>> = {
  sha1: { hashAlg: CKM.SHA_1, mgf: 1 },
  sha224: { hashAlg: CKM.SHA224, mgf: 5 },
  sha256: { hashAlg: CKM.SHA256, mgf: 2 },
  sha384: { hashAlg: CKM.SHA384, mgf: 3 },
  sha512: { hashAlg: CKM.SHA512, mgf: 4 },
}

export const HMAC_MECHANISMS: Readonly<Record<Hash, number>> = {
  sha1: CKM.SHA_1_HMAC,
  sha224: CKM.SHA224_HMAC,
  sha256: CKM.SHA256_HMAC,
  sha384: CKM.SHA384_HMAC,
  sha512: CKM.SHA512_HMAC,
}
