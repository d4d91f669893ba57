/** Post-quantum signatures that node:crypto lacks: ML-DSA over µ, and HashSLH-DSA. */
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { slh_dsa_sha2_128s } from '@noble/post-quantum/slh-dsa.js'
import type { KeySpecRow } from './algorithm.ts'

type MlDsaRow = Extract<KeySpecRow, { type: 'ml-dsa' }>
const ML_DSA = { 'ml-dsa-44': ml_dsa44, 'ml-dsa-65': ml_dsa65, 'ml-dsa-87': ml_dsa87 } as const

/** Hedged, from the key's 32-byte seed. Takes up to 20 ms. */
export function signMu(row: Pick<MlDsaRow, 'node'>, seed: Uint8Array, mu: Uint8Array): Uint8Array {
  const scheme = ML_DSA[row.node]
  const { secretKey } = scheme.keygen(seed)
  try {
    return scheme.internal.sign(mu, secretKey, { externalMu: true })
  } finally {
    secretKey.fill(0)
  }
}

export const verifyMu = (
  row: Pick<MlDsaRow, 'node'>,
  publicKey: Uint8Array,
  mu: Uint8Array,
  signature: Uint8Array,
): boolean => ML_DSA[row.node].internal.verify(signature, mu, publicKey, { externalMu: true })

/** DER of id-sha256, which stands for the hash in what is signed. */
const SHA256_OID = Buffer.from('0609608648016503040201', 'hex')

/** M' of HashSLH-DSA (FIPS 205 section 10.2.2). */
const preHashed = (digest: Uint8Array, context: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.of(1, context.length), context, SHA256_OID, digest])

/** Hedged. Takes more than a second. */
export const signHashSlhDsa = (privateKey: Uint8Array, digest: Uint8Array, context: Uint8Array): Uint8Array =>
  slh_dsa_sha2_128s.internal.sign(preHashed(digest, context), privateKey)

export const verifyHashSlhDsa = (
  publicKey: Uint8Array,
  digest: Uint8Array,
  context: Uint8Array,
  signature: Uint8Array,
): boolean => slh_dsa_sha2_128s.internal.verify(signature, preHashed(digest, context), publicKey)
