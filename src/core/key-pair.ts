/** Fresh key pairs of any asymmetric spec. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeySpecRow } from './algorithm.ts'
import { fits } from './public-key.ts'
import * as xWing from './x-wing.ts'

const generatePair = promisify(generateKeyPair)

export type PairRow = Exclude<KeySpecRow, { type: 'aes' | 'hmac' | 'x-wing' }>

export async function generatePrivateKey(row: PairRow): Promise<KeyObject> {
  switch (row.type) {
    case 'rsa':
      return (await generatePair('rsa', { modulusLength: row.bits, publicExponent: 65537 })).privateKey
    case 'ec':
      return (await generatePair('ec', { namedCurve: row.curve })).privateKey
    case 'ed25519':
      return (await generatePair('ed25519')).privateKey
    case 'x25519':
      return (await generatePair('x25519')).privateKey
    case 'ml-kem':
      // From a seed of our own, so that there always is one to keep (FIPS 203 section 7.1: d, then z).
      return createPrivateKey({ key: randomBytes(64), format: 'raw-seed', asymmetricKeyType: row.node })
    case 'ml-dsa':
    case 'slh-dsa':
      return (await generateNode(row.node)).privateKey
  }
}

function generateNode(node: Extract<PairRow, { node: string }>['node']): Promise<{ privateKey: KeyObject }> {
  switch (node) {
    case 'slh-dsa-sha2-128s':
      return generatePair(node)
    case 'ml-dsa-44':
      return generatePair(node)
    case 'ml-dsa-65':
      return generatePair(node)
    case 'ml-dsa-87':
      return generatePair(node)
    default:
      throw new TypeError(`${node} keys are made from their seed`)
  }
}

export const spkiOf = (key: KeyObject): Uint8Array =>
  Uint8Array.from(createPublicKey(key).export({ format: 'der', type: 'spki' }))

/** SubjectPublicKeyInfo of a PKCS#8 private key; undefined for what is no key of the row. Whether it is sound is not looked at. */
export function publicHalf(
  pkcs8: Uint8Array,
  row: PairRow | Extract<KeySpecRow, { type: 'x-wing' }>,
): Uint8Array | undefined {
  if (row.type === 'x-wing') {
    const seed = xWing.decodePkcs8(pkcs8)
    return seed && xWing.encodeSpki(xWing.publicKeyOf(seed))
  }
  const der = Buffer.from(pkcs8)
  try {
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    return fits(key, row) ? spkiOf(key) : undefined
  } catch {
    return undefined
  } finally {
    der.fill(0)
  }
}

/** PKCS#8 and SubjectPublicKeyInfo of a fresh pair that is kept nowhere. The caller wipes the private half. */
export async function exportedPair(row: PairRow | Extract<KeySpecRow, { type: 'x-wing' }>) {
  if (row.type === 'x-wing') {
    const seed = randomBytes(xWing.SEED_BYTES)
    const pair = { pkcs8: xWing.encodePkcs8(seed), spki: xWing.encodeSpki(xWing.publicKeyOf(seed)) }
    seed.fill(0)
    return pair
  }
  const key = await generatePrivateKey(row)
  return { pkcs8: key.export({ format: 'der', type: 'pkcs8' }), spki: spkiOf(key) }
}
