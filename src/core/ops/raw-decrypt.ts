import { type Algorithm, algorithmRow } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { handleOf } from '../key.ts'
import { type AlgorithmChoice, chosenUse, type UseChoice, useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'
import { openWithAny } from './other-versions.ts'

export type RawDecryptInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  /** AES-GCM's ends with its tag. */
  readonly ciphertext: Uint8Array
  readonly iv?: Uint8Array | undefined
  readonly aad?: Uint8Array | undefined
  readonly tagBytes?: number | undefined
  readonly use?: UseChoice | undefined
  readonly dryRun?: boolean | undefined
}
export type RawDecryptOutput = VersionView & { readonly algorithm: Algorithm; readonly plaintext: Uint8Array }

const NOTHING = new Uint8Array(0)

/** Whether what was wrapped tells that it was under this key and no other. */
function provesKey(algorithm: Algorithm): boolean {
  const row = algorithmRow(algorithm)
  return row.op === 'encrypt' && row.scheme === 'aes' && (row.mode === 'kw' || row.mode === 'kwp')
}

/** @throws KmsError invalid_argument (iv, aad, tag), invalid_ciphertext whatever was wrong with it */
export const rawDecrypt = useOperation<RawDecryptInput, RawDecryptOutput>({
  name: 'RawDecrypt',
  action: 'raw-decrypt',
  use: (input, key) => chosenUse(input.use ?? 'raw_decrypt', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run(env, target, input) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (input.dryRun === true) return { output: { ...target, algorithm, plaintext: NOTHING } }
    const params = { nonce: NOTHING, iv: input.iv ?? NOTHING, aad: input.aad ?? NOTHING, tagBytes: input.tagBytes }
    if (!provesKey(algorithm)) {
      const plaintext = await backend.decrypt(handle, algorithm, input.ciphertext, params, env.call)
      return { output: { ...target, algorithm, plaintext } }
    }
    const { version, plaintext } = await openWithAny(env, target, input.version, (one) =>
      env.backends
        .named(one.backend)
        .decrypt(handleOf(target.ring, one), algorithm, input.ciphertext, params, env.call),
    )
    return { output: { ...target, version, algorithm, plaintext }, subject: { version } }
  },
})
