import { type EncryptionContext, NO_CONTEXT, sealEnvelope } from '../envelope.ts'
import { KmsError } from '../error.ts'
import { useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'

export type GenerateDataKeyInput = VersionInput & {
  /** Length of the data key, 1 to 1024 bytes. */
  readonly bytes: number
  readonly context?: EncryptionContext | undefined
  readonly dryRun?: boolean | undefined
}
export type GenerateDataKeyOutput = VersionView & { readonly plaintext: Uint8Array; readonly ciphertext: Uint8Array }

/** A fresh data key from the backend's generator, in clear and sealed. */
export const generateDataKey = useOperation<GenerateDataKeyInput, GenerateDataKeyOutput>({
  name: 'GenerateDataKey',
  action: 'generate-data-key',
  use: 'encrypt',
  locate: (input) => input,
  algorithm: () => 'envelope',
  async run({ call }, target, input) {
    const { backend, handle, algorithm } = target
    if (algorithm === undefined) throw new KmsError('internal')
    const nothing = new Uint8Array(0)
    if (input.dryRun === true) return { output: { ...target, plaintext: nothing, ciphertext: nothing } }
    const plaintext = await backend.random(input.bytes, call)
    const ciphertext = await sealEnvelope(backend, handle, algorithm, plaintext, input.context ?? NO_CONTEXT, call)
    return { output: { ...target, plaintext, ciphertext } }
  },
})
