import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { type AlgorithmChoice, chosenUse, type UseChoice, useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'

export type GenerateMacInput = VersionInput & {
  /** Default `mac_sign`. */
  readonly use?: UseChoice | undefined
  readonly algorithm: AlgorithmChoice
  readonly message: Uint8Array
  readonly dryRun?: boolean | undefined
}
export type GenerateMacOutput = VersionView & { readonly algorithm: Algorithm; readonly mac: Uint8Array }

export const generateMac = useOperation<GenerateMacInput, GenerateMacOutput>({
  name: 'GenerateMac',
  action: 'generate-mac',
  use: (input, key) => chosenUse(input.use ?? 'mac_sign', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run({ call }, target, input) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (input.dryRun === true) return { output: { ...target, algorithm, mac: new Uint8Array(0) } }
    return { output: { ...target, algorithm, mac: await backend.mac(handle, algorithm, input.message, call) } }
  },
})
