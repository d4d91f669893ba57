/** ECDSA signatures, raw r‖s. */
import { hash as hashOf, type KeyObject, randomBytes, sign as signSync } from 'node:crypto'
import { promisify } from 'node:util'
import type { Hash } from '../core/algorithm.ts'
import { bytesToInteger, curveOf, type EcRow, isFast } from '../core/curves.ts'
import type { NativeSigner } from './native.ts'

const signAsync = promisify(signSync)

export async function signMessage(row: EcRow, hash: Hash, key: KeyObject, message: Uint8Array): Promise<Buffer> {
  const options = { key, dsaEncoding: 'ieee-p1363' } as const
  return isFast(row) ? signSync(hash, message, options) : await signAsync(hash, message, options)
}

/** Over a ready digest; without the add-on @noble's arithmetic does what OpenSSL has no call for. */
export async function signDigest(
  row: EcRow,
  hash: Hash,
  key: KeyObject,
  digest: Uint8Array,
  native: NativeSigner | undefined,
): Promise<Uint8Array> {
  if (native === undefined) return rescaled(row, hash, key, digest)
  return isFast(row) ? native.sign(key, digest) : native.signAsync(key, digest)
}

/**
 * Signs a ready digest z with an OpenSSL that only takes messages. OpenSSL signs the digest p of a random message, which
 * makes the nonce k, does the point multiplication in constant time and gives s₀ = (p + rd)/k; then
 * s = s₀·(z + rd)/(p + rd) is (z + rd)/k. The value that is inverted here, p + rd = s₀k, is blinded by s₀. Two
 * signatures with one nonce would give the key away: neither the message, p nor s₀ leaves this function.
 */
async function rescaled(row: EcRow, hash: Hash, key: KeyObject, digest: Uint8Array): Promise<Uint8Array> {
  const { Fn } = curveOf(row).Point
  const message = randomBytes(32)
  const probe = await signMessage(row, hash, key, message)
  const messageDigest = hashOf(hash, message, 'buffer')
  const scalar = key.export({ format: 'raw-private' })
  try {
    const r = probe.subarray(0, row.coordinate)
    const rd = Fn.mul(Fn.create(bytesToInteger(r)), bytesToInteger(scalar))
    const s0 = bytesToInteger(probe.subarray(row.coordinate))
    const p = Fn.create(bytesToInteger(messageDigest))
    const z = Fn.create(bytesToInteger(digest))
    const s = Fn.mul(s0, Fn.mul(Fn.add(z, rd), Fn.inv(Fn.add(p, rd))))
    // probability 2^-256, but a zero would be no signature
    if (Fn.is0(s)) return await rescaled(row, hash, key, digest)
    return Uint8Array.from(Buffer.concat([r, Fn.toBytes(s)]))
  } finally {
    for (const secret of [message, probe, messageDigest, scalar]) secret.fill(0)
  }
}
