import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { type AlgorithmChoice, useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'

export type DecapsulateInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  readonly ciphertext: Uint8Array
  readonly dryRun?: boolean | undefined
}
export type DecapsulateOutput = VersionView & { readonly algorithm: Algorithm; readonly secret: Uint8Array }

/** @throws KmsError invalid_ciphertext for a wrong length; whatever else is wrong gives another secret */
export const decapsulate = useOperation<DecapsulateInput, DecapsulateOutput>({
  name: 'Decapsulate',
  action: 'decapsulate',
  use: 'decapsulate',
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run({ call }, target, input) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (input.dryRun === true) return { output: { ...target, algorithm, secret: new Uint8Array(0) } }
    const secret = await backend.decapsulate(handle, algorithm, input.ciphertext, call)
    return { output: { ...target, algorithm, secret } }
  },
})
