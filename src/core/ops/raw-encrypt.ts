import { type Algorithm, algorithmRow } from '../algorithm.ts'
import { invalidArgument, KmsError } from '../error.ts'
import {
  type AlgorithmChoice,
  chosenUse,
  type Env,
  type UseChoice,
  useOperation,
  type VersionInput,
} from '../operation.ts'
import type { VersionView } from '../view.ts'

export type RawEncryptInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  readonly plaintext: Uint8Array
  /** Absent: drawn at random. AES-GCM's always is: one IV used twice gives its key away. */
  readonly iv?: Uint8Array | undefined
  readonly aad?: Uint8Array | undefined
  /** AES-GCM only; 12 to 16, default 16. */
  readonly tagBytes?: number | undefined
  /** Azure's wrapKey is encryption under another name and right. */
  readonly use?: UseChoice | undefined
  readonly dryRun?: boolean | undefined
}
/** AES-GCM's ciphertext ends with its tag. */
export type RawEncryptOutput = VersionView & {
  readonly algorithm: Algorithm
  readonly ciphertext: Uint8Array
  readonly iv: Uint8Array
}

const NOTHING = new Uint8Array(0)

async function ivFor(env: Env, algorithm: Algorithm, versionId: string, input: RawEncryptInput): Promise<Uint8Array> {
  const row = algorithmRow(algorithm)
  if (row.op !== 'encrypt' || row.scheme !== 'aes') throw new KmsError('internal')
  if (row.mode === 'gcm') {
    if (input.iv !== undefined) throw invalidArgument('iv', 'is drawn by the service for AES-GCM')
    if (input.dryRun !== true) await env.messages.take(versionId)
  }
  if (input.iv !== undefined) return input.iv
  // From the one generator of the process, so that no two backends of a key could differ in it.
  return row.ivBytes === 0 ? NOTHING : crypto.getRandomValues(new Uint8Array(row.ivBytes))
}

/** @throws KmsError invalid_argument (iv, aad, tag, plaintext), limit_exceeded after 2^32 messages of AES-GCM */
export const rawEncrypt = useOperation<RawEncryptInput, RawEncryptOutput>({
  name: 'RawEncrypt',
  action: 'raw-encrypt',
  use: (input, key) => chosenUse(input.use ?? 'raw_encrypt', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run(env, target, input) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    const iv = await ivFor(env, algorithm, handle.versionId, input)
    if (input.dryRun === true) return { output: { ...target, algorithm, iv, ciphertext: NOTHING } }
    const params = { nonce: NOTHING, iv, aad: input.aad ?? NOTHING, tagBytes: input.tagBytes }
    const ciphertext = await backend.encrypt(handle, algorithm, input.plaintext, params, env.call)
    return { output: { ...target, algorithm, iv, ciphertext } }
  },
})
