import { type Algorithm, HASH_BYTES } from '../algorithm.ts'
import { digestHash } from '../checks.ts'
import { invalidArgument, KmsError } from '../error.ts'
import { type AlgorithmChoice, useOperation, type VersionInput } from '../operation.ts'
import type { SignInput as Signed } from '../ports.ts'
import type { VersionView } from '../view.ts'

export type SignInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  readonly input: Signed
  readonly dryRun?: boolean | undefined
}
/** `signature` is canonical: raw r‖s for ECDSA. */
export type SignOutput = VersionView & { readonly algorithm: Algorithm; readonly signature: Uint8Array }

/** @throws KmsError digest_length; invalid_argument where the algorithm takes no digest */
export function checkDigest(algorithm: Algorithm, input: Signed): void {
  if (!('digest' in input)) return
  const hash = digestHash(algorithm)
  if (hash === undefined) throw invalidArgument('digest', `${algorithm} signs messages`)
  if (input.digest.length !== HASH_BYTES[hash]) {
    throw new KmsError('digest_length', { algorithm, expected: HASH_BYTES[hash], actual: input.digest.length })
  }
}

export const sign = useOperation<SignInput, SignOutput>({
  name: 'Sign',
  action: 'sign',
  use: 'sign',
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run({ call }, target, input) {
    const { algorithm } = target
    if (algorithm === undefined) throw new KmsError('internal')
    checkDigest(algorithm, input.input)
    if (input.dryRun === true) return { output: { ...target, algorithm, signature: new Uint8Array(0) } }
    const signature = await target.backend.sign(target.handle, algorithm, input.input, call)
    return { output: { ...target, algorithm, signature } }
  },
})
