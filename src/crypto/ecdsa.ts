/** ECDSA signatures, raw r‖s. */
import { hash as hashOf, type KeyObject, randomBytes, sign as signSync } from 'node:crypto'
import { promisify } from 'node:util'
import type { Hash } from '../core/algorithm.ts'
import { bytesToInteger, curveOf, type EcRow, isFast } from '../core/curves.ts'
import { andThen, type Eventually } from '../core/eventually.ts'
import type { NativeSigner } from './native.ts'

const signAsync = promisify(signSync)

/**
 * Without the add-on: OpenSSL writes DER, and Node turns it into r‖s when asked; but its options cost as much as the signature itself (measured:
 * 34 µs for P-256 with `dsaEncoding`, 25 with the key in an object, 16 like this).
 */
export function signMessage(
  row: EcRow,
  hash: Hash,
  key: KeyObject,
  message: Uint8Array,
  native?: NativeSigner,
): Eventually<Uint8Array> {
  if (native !== undefined) return signDigest(row, hash, key, hashOf(hash, message, 'buffer'), native)
  const signed = isFast(row) ? signSync(hash, message, key) : signAsync(hash, message, key)
  return andThen(signed, (der) => rawOf(der, row.coordinate))
}

/** SEQUENCE { INTEGER r, INTEGER s } as OpenSSL writes it: lengths of one byte each, or two for the whole of P-521's. */
function rawOf(der: Uint8Array, coordinate: number): Buffer {
  const raw = Buffer.alloc(2 * coordinate)
  let at = (der[1] ?? 0) < 0x80 ? 2 : 3
  for (const end of [coordinate, 2 * coordinate]) {
    const next = at + 2 + (der[at + 1] ?? 0)
    const digits = der.subarray(at + 2 + (der[at + 2] === 0 ? 1 : 0), next)
    raw.set(digits, end - digits.length)
    at = next
  }
  return raw
}

/** Over a ready digest; without the add-on @noble's arithmetic does what OpenSSL has no call for. */
export function signDigest(
  row: EcRow,
  hash: Hash,
  key: KeyObject,
  digest: Uint8Array,
  native: NativeSigner | undefined,
): Eventually<Uint8Array> {
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
