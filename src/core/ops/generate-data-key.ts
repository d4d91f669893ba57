import type { EncryptionContext } from '../envelope.ts'
import { useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'
import { encryptWith } from './encrypt.ts'

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
  async run({ call }, target, { bytes, context, dryRun }) {
    const nothing = new Uint8Array(0)
    if (dryRun === true) return { output: { ...target, plaintext: nothing, ciphertext: nothing } }
    const plaintext = await target.backend.random(bytes, call)
    return { output: { ...target, plaintext, ciphertext: await encryptWith(target, plaintext, context, call) } }
  },
})
