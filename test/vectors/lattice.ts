/** ML-DSA over messages, contexts and external mu, and ML-KEM. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { type KeySpec, specRow } from '../../src/core/algorithm.ts'
import { encapsulate } from '../../src/core/encapsulate.ts'
import { KmsError } from '../../src/core/error.ts'
import type { SignInput } from '../../src/core/ports.ts'
import { verify } from '../../src/core/verify.ts'
import { decapsulate } from '../../src/crypto/kem.ts'
import { expandedPkcs8, seedPkcs8 } from './pkcs8.ts'
import { context, equal, hex, orRefused, type Runner, specWhere, UNSUPPORTED, type Vector } from './vector.ts'

export const latticeSpec = (name: string): KeySpec =>
  specWhere((row) => (row.type === 'ml-dsa' || row.type === 'ml-kem') && row.node === name.toLowerCase())

type Way = { readonly algorithm: 'ml_dsa' | 'ml_dsa_mu'; readonly input: SignInput }

/** Everything one signature may be of: a message with its context, and their representative. */
function waysOf({ msg, ctx, mu }: Vector): readonly Way[] {
  const message: readonly Way[] =
    msg === undefined ? [] : [{ algorithm: 'ml_dsa', input: { message: hex(msg), context: hex(ctx) } }]
  return mu === undefined ? message : [...message, { algorithm: 'ml_dsa_mu', input: { mu: hex(mu) } }]
}

/** False too for a context that is none, and for a public key that is none, which no version of a key can have. */
async function verified(spec: KeySpec, spki: Uint8Array, way: Way, signature: Uint8Array): Promise<boolean> {
  try {
    return await verify(spki, spec, way.algorithm, way.input, signature)
  } catch (error) {
    if (!(error instanceof KmsError)) throw error
    if (error.code === 'internal' || error.params.field === 'context') return false
    throw error
  }
}

export const mlDsaVerify =
  (spec: KeySpec): Runner =>
  async (_backend, group, vector) => {
    const ways = waysOf(vector)
    const verdicts = await Promise.all(ways.map((way) => verified(spec, hex(group.publicKeyDer), way, hex(vector.sig))))
    if (new Set(verdicts).size !== 1) throw new Error('message and mu do not agree')
    return verdicts[0] === true
  }

/** The end of the OID of the parameter set, as pkcs8.ts has it. */
const OIDS: Readonly<Record<string, string>> = {
  'ml-dsa-44': '0311',
  'ml-dsa-65': '0312',
  'ml-dsa-87': '0313',
  'ml-kem-512': '0401',
  'ml-kem-768': '0402',
  'ml-kem-1024': '0403',
}
const oidOf = (spec: KeySpec): string => {
  const row = specRow(spec)
  return ('node' in row && OIDS[row.node]) || ''
}
const seedOf = (spec: KeySpec, seed: Uint8Array): string => seedPkcs8(oidOf(spec), seed).toString('hex')

/** Signatures are randomised, so the vector's is verified under the imported key's public half, and ours beside it. */
export const mlDsaSign =
  (spec: KeySpec): Runner =>
  async (backend, group, vector, keys) => {
    const ways = waysOf(vector).filter(({ algorithm }) => backend.supports(spec, algorithm))
    if (ways.length === 0) return UNSUPPORTED
    const imported = await keys.get(spec, group.privateKeyPkcs8 || seedOf(spec, hex(group.privateSeed)))
    if (imported?.spki === undefined) return false
    const { handle, spki } = imported
    const publicKey = hex(String(group.publicKey))
    if (!equal(spki.subarray(-publicKey.length), publicKey)) throw new Error('another public key from the seed')
    for (const { algorithm, input } of ways) {
      const ours = await orRefused('invalid_argument', 'context', () =>
        backend.sign(handle, algorithm, input, context()),
      )
      if (ours === undefined) return false
      const signatures = vector.result === 'valid' ? [hex(vector.sig), ours] : [ours]
      for (const signature of signatures) {
        for (const way of ways) if (!(await verified(spec, spki, way, signature))) return false
      }
    }
    return true
  }

/** The seed's key must be the vector's, its secret too, and what we encapsulate to it must open. */
export const mlKem: Runner = async (backend, group, { seed, ek, c, K }, keys) => {
  const spec = latticeSpec(group.parameterSet ?? '')
  if (!backend.supports(spec, 'ml_kem')) return UNSUPPORTED
  const imported = await keys.get(spec, seedOf(spec, hex(seed)))
  if (imported?.spki === undefined) return false
  const { handle, spki } = imported
  if (!equal(spki.subarray(-hex(ek).length), hex(ek))) throw new Error('another public key from the seed')
  const open = (ciphertext: Uint8Array) =>
    orRefused('invalid_ciphertext', undefined, () => backend.decapsulate(handle, 'ml_kem', ciphertext, context()))
  const opened = await open(hex(c))
  if (opened === undefined) return false
  const ours = encapsulate(spki, spec, 'ml_kem')
  const back = await open(ours.ciphertext)
  if (back === undefined || !equal(back, ours.secret)) throw new Error('our own encapsulation does not open')
  return equal(opened, hex(K))
}

/**
 * Keys are kept as their seed, so one that comes without it is refused, sound or not; it goes to the function that the
 * backend decapsulates with.
 */
export const mlKemExpanded: Runner = async (backend, group, { dk, c, K }, keys) => {
  const spec = latticeSpec(group.parameterSet ?? '')
  const row = specRow(spec)
  if (row.type !== 'ml-kem' || !backend.supports(spec, 'ml_kem')) return UNSUPPORTED
  const key = expandedPkcs8(oidOf(spec), hex(dk))
  if ((await keys.get(spec, key.toString('hex'))) !== undefined) throw new Error('took a key without its seed')
  const parsed = parsePrivateKey(key)
  if (parsed === undefined) return false
  const opened = await orRefused('invalid_ciphertext', undefined, async () => decapsulate(row, parsed, hex(c)))
  return opened !== undefined && equal(opened, hex(K))
}

function parsePrivateKey(key: Buffer): KeyObject | undefined {
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  } catch {
    return undefined
  }
}
