import type { Algorithm } from '../algorithm.ts'
import { type Encapsulation, encapsulate as encapsulateTo } from '../encapsulate.ts'
import { KmsError } from '../error.ts'
import { type AlgorithmChoice, useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'

export type EncapsulateInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  readonly dryRun?: boolean | undefined
}
export type EncapsulateOutput = VersionView & Encapsulation & { readonly algorithm: Algorithm }

/** A fresh shared secret and what carries it to the holder of the private key. */
export const encapsulate = useOperation<EncapsulateInput, EncapsulateOutput>({
  name: 'Encapsulate',
  action: 'encapsulate',
  use: 'encapsulate',
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run(_env, target, input) {
    const { algorithm, version } = target
    if (algorithm === undefined || version.spki === undefined) throw new KmsError('internal')
    const nothing = new Uint8Array(0)
    if (input.dryRun === true) return { output: { ...target, algorithm, secret: nothing, ciphertext: nothing } }
    return { output: { ...target, algorithm, ...encapsulateTo(version.spki, version.spec, algorithm) } }
  },
})
