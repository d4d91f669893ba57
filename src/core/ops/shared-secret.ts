/** What key agreement and decapsulation share: a secret that comes of a private key and what the other side sent. */
import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import {
  type AlgorithmChoice,
  type Call,
  type UseOperation,
  type UseTarget,
  useOperation,
  type VersionInput,
} from '../operation.ts'
import type { VersionView } from '../view.ts'

export type SharedSecretInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  readonly dryRun?: boolean | undefined
}
export type SharedSecretOutput = VersionView & { readonly algorithm: Algorithm; readonly secret: Uint8Array }

type SharedSecretOperation<I extends SharedSecretInput> = Pick<
  UseOperation<I, SharedSecretOutput>,
  'name' | 'action' | 'use'
> & { secretOf(target: UseTarget, algorithm: Algorithm, input: I, call: Call): Promise<Uint8Array> }

export const sharedSecretOperation = <I extends SharedSecretInput>({ secretOf, ...names }: SharedSecretOperation<I>) =>
  useOperation<I, SharedSecretOutput>({
    ...names,
    locate: (input) => input,
    algorithm: (input) => input.algorithm,
    async run({ call }, target, input) {
      const { algorithm } = target
      if (algorithm === undefined) throw new KmsError('internal')
      const secret = input.dryRun === true ? new Uint8Array(0) : await secretOf(target, algorithm, input, call)
      return { output: { ...target, algorithm, secret } }
    },
  })
