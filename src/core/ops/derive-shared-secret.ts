import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { type AlgorithmChoice, useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'

export type DeriveSharedSecretInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  /** The other side's, DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array
  readonly dryRun?: boolean | undefined
}
export type DeriveSharedSecretOutput = VersionView & { readonly algorithm: Algorithm; readonly secret: Uint8Array }

/** @throws KmsError invalid_argument (publicKey) */
export const deriveSharedSecret = useOperation<DeriveSharedSecretInput, DeriveSharedSecretOutput>({
  name: 'DeriveSharedSecret',
  action: 'derive-shared-secret',
  use: 'derive',
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run({ call }, target, input) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (input.dryRun === true) return { output: { ...target, algorithm, secret: new Uint8Array(0) } }
    const secret = await backend.agree(handle, algorithm, input.publicKey, call)
    return { output: { ...target, algorithm, secret } }
  },
})
