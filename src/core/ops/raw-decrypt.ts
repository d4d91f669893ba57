import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { type AlgorithmChoice, chosenUse, type UseChoice, useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'

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

/** @throws KmsError invalid_argument (iv, aad, tag), invalid_ciphertext whatever was wrong with it */
export const rawDecrypt = useOperation<RawDecryptInput, RawDecryptOutput>({
  name: 'RawDecrypt',
  action: 'raw-decrypt',
  use: (input, key) => chosenUse(input.use ?? 'raw_decrypt', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run({ call }, target, input) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (input.dryRun === true) return { output: { ...target, algorithm, plaintext: NOTHING } }
    const params = { nonce: NOTHING, iv: input.iv ?? NOTHING, aad: input.aad ?? NOTHING, tagBytes: input.tagBytes }
    const plaintext = await backend.decrypt(handle, algorithm, input.ciphertext, params, call)
    return { output: { ...target, algorithm, plaintext } }
  },
})
