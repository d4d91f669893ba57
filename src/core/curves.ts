/** Field and point arithmetic for ECDSA over a ready digest, which node:crypto can't do (nodejs/node#60263). */
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { KeySpecRow } from './algorithm.ts'
import { KmsError } from './error.ts'

export type EcRow = Extract<KeySpecRow, { type: 'ec' }>
export type Curve = typeof p256

const CURVES: Readonly<Record<string, Curve>> = { prime256v1: p256, secp384r1: p384, secp521r1: p521, secp256k1 }

export function curveOf(row: EcRow): Curve {
  const curve = CURVES[row.curve]
  if (curve === undefined) throw new KmsError('internal')
  return curve
}

export const bytesToInteger = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`)

/** OpenSSL signs and verifies on P-256 in less time than a trip to the thread pool costs; on the others it takes 0.4–2 ms. */
export const isFast = (row: EcRow): boolean => row.curve === 'prime256v1'
