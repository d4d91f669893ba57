/** ECDSA verification. Signatures are raw r‖s. */
import { createECDH, createPublicKey, hash as hashOf, type KeyObject, verify as verifySync } from 'node:crypto'
import { promisify } from 'node:util'
import type { Hash } from './algorithm.ts'
import { bytesToInteger, curveOf, type EcRow, isFast } from './curves.ts'

const verifyAsync = promisify(verifySync)

export async function verifyMessage(
  row: EcRow,
  hash: Hash,
  key: KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const options = { key, dsaEncoding: 'ieee-p1363' } as const
  return isFast(row)
    ? verifySync(hash, message, options, signature)
    : await verifyAsync(hash, message, options, signature)
}

/** Any message will do: what is verified in `verifyDigest` holds for every one. */
const PROBE = Buffer.from('trefoil: ecdsa over a digest')

/**
 * Verifies over a ready digest z with an OpenSSL that only takes messages. (r, s) is valid for z under Q when r is the
 * x-coordinate of (z/s)G + (r/s)Q. For a message with the digest p and t = (z − p)/r, that point is also
 * (p/s)G + (r/s)(Q + tG): so the same (r, s) is valid for the message under Q + tG exactly when it is for z under Q.
 * Everything here is public. It takes a third to a seventh of the time of the same verification in plain JavaScript.
 */
export async function verifyDigest(
  row: EcRow,
  hash: Hash,
  key: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const curve = curveOf(row)
  const { Fn } = curve.Point
  const r = bytesToInteger(signature.subarray(0, row.coordinate))
  const s = bytesToInteger(signature.subarray(row.coordinate))
  if (!Fn.isValidNot0(r) || !Fn.isValidNot0(s)) return false
  const z = Fn.create(bytesToInteger(digest))
  const p = Fn.create(bytesToInteger(hashOf(hash, PROBE, 'buffer')))
  const t = Fn.mul(Fn.sub(z, p), Fn.inv(r))
  if (Fn.is0(t)) return verifyMessage(row, hash, key, PROBE, signature)
  const point = curve.Point.fromBytes(key.export({ format: 'raw-public' }))
  const ecdh = createECDH(row.curve)
  ecdh.setPrivateKey(Fn.toBytes(t))
  const related = point.add(curve.Point.fromBytes(ecdh.getPublicKey()))
  if (related.is0()) return curve.verify(signature, digest, point.toBytes(false), { prehash: false, lowS: false })
  const relatedKey = createPublicKey({
    key: Buffer.from(related.toBytes(false)),
    format: 'raw-public',
    asymmetricKeyType: 'ec',
    namedCurve: row.curve,
  })
  return verifyMessage(row, hash, relatedKey, PROBE, signature)
}
