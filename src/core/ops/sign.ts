import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { andThen } from '../eventually.ts'
import { type AlgorithmChoice, chosenUse, type UseChoice, useOperation, type VersionInput } from '../operation.ts'
import type { SignInput as Signed } from '../ports.ts'
import { checkSignInput } from '../sign-input.ts'
import type { VersionView } from '../view.ts'

export type SignInput = VersionInput & {
  /** Default `sign`. */
  readonly use?: UseChoice | undefined
  readonly algorithm: AlgorithmChoice
  readonly input: Signed
  readonly dryRun?: boolean | undefined
}
/** `signature` is canonical: raw r‖s for ECDSA. */
export type SignOutput = VersionView & { readonly algorithm: Algorithm; readonly signature: Uint8Array }

export const sign = useOperation<SignInput, SignOutput>({
  name: 'Sign',
  action: 'sign',
  use: (input, key) => chosenUse(input.use ?? 'sign', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  run({ call }, target, input) {
    const { algorithm } = target
    if (algorithm === undefined) throw new KmsError('internal')
    checkSignInput(target.handle.spec, algorithm, input.input)
    if (input.dryRun === true) return { output: { ...target, algorithm, signature: new Uint8Array(0) } }
    const signed = target.backend.sign(target.handle, algorithm, input.input, call)
    return andThen(signed, (signature) => ({ output: { ...target, algorithm, signature } }))
  },
})
