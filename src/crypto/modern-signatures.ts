/** Ed25519, ML-DSA and SLH-DSA. */
import { type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import type { AlgorithmRow, KeySpecRow } from '../core/algorithm.ts'
import * as ed25519ph from '../core/ed25519ph.ts'
import { KmsError } from '../core/error.ts'
import type { SignInput } from '../core/ports.ts'
import { contextOf, messageOf } from '../core/sign-input.ts'
import { digestOf } from '../core/verify.ts'
import type { NativeSigner } from './native.ts'
import type { SlowSigner } from './slow-signer.ts'

const signAsync = promisify(sign)

type SignRow = Extract<AlgorithmRow, { op: 'sign' }>

/** Lends the bytes of a private key to `use`, and wipes them after. */
async function withRaw<T>(
  key: KeyObject,
  format: 'raw-private' | 'raw-seed',
  use: (raw: Buffer) => T,
): Promise<Awaited<T>> {
  const raw = key.export({ format })
  try {
    return await use(raw)
  } finally {
    raw.fill(0)
  }
}

/** Who signs what node:crypto has no call for. */
export type Signers = { readonly native: NativeSigner | undefined; readonly slow: SlowSigner }

/** `input` was checked. */
export async function signModern(
  spec: KeySpecRow,
  row: SignRow,
  key: KeyObject,
  input: SignInput,
  { native, slow }: Signers,
): Promise<Uint8Array> {
  switch (row.scheme) {
    case 'ed25519':
      return sign(null, messageOf(input), key)
    case 'ed25519ph':
      return withRaw(key, 'raw-private', (raw) => ed25519ph.signDigest(raw, digestOf(row.hash, input)))
    case 'ml-dsa':
    case 'slh-dsa':
      return signAsync(null, messageOf(input), { key, context: contextOf(input) })
    case 'ml-dsa-mu': {
      if (spec.type !== 'ml-dsa' || !('mu' in input)) throw new KmsError('internal')
      if (native !== undefined) return native.signAsync(key, input.mu)
      return withRaw(key, 'raw-seed', (raw) => slow.sign({ kind: row.scheme, node: spec.node, mu: input.mu }, raw))
    }
    case 'hash-slh-dsa': {
      const work = { kind: row.scheme, digest: digestOf(row.hash, input), context: contextOf(input) }
      return withRaw(key, 'raw-private', (raw) => slow.sign(work, raw))
    }
    default:
      throw new KmsError('internal')
  }
}
