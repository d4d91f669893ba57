import { type KeySpec, specRow } from '../algorithm.ts'
import type { EncryptionContext } from '../envelope.ts'
import { invalidArgument } from '../error.ts'
import { exportedPair } from '../key-pair.ts'
import { useOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'
import { encryptWith } from './encrypt.ts'

export type GenerateDataKeyPairInput = VersionInput & {
  /** Of the pair. */
  readonly spec: KeySpec
  readonly context?: EncryptionContext | undefined
  readonly dryRun?: boolean | undefined
}
export type GenerateDataKeyPairOutput = VersionView & {
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array
  /** The private key, sealed. */
  readonly ciphertext: Uint8Array
}

/** A fresh key pair that is kept nowhere: its private half in clear and sealed. */
export const generateDataKeyPair = useOperation<GenerateDataKeyPairInput, GenerateDataKeyPairOutput>({
  name: 'GenerateDataKeyPair',
  action: 'generate-data-key-pair',
  use: 'encrypt',
  locate: (input) => input,
  algorithm: () => 'envelope',
  async run({ call }, target, { spec, context, dryRun }) {
    const row = specRow(spec)
    if (row.type === 'aes' || row.type === 'hmac') throw invalidArgument('spec', `${spec} keys are no pairs`)
    const none = new Uint8Array(0)
    if (dryRun === true) return { output: { ...target, privateKey: none, publicKey: none, ciphertext: none } }
    const { pkcs8, spki } = await exportedPair(row)
    const ciphertext = await encryptWith(target, pkcs8, context, call)
    return { output: { ...target, privateKey: pkcs8, publicKey: spki, ciphertext } }
  },
})
