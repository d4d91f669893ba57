import type { Algorithm } from '../algorithm.ts'
import type { EncryptionContext } from '../envelope.ts'
import { KmsError } from '../error.ts'
import { type AlgorithmChoice, pairOperation, type VersionInput } from '../operation.ts'
import type { VersionView } from '../view.ts'
import { type DecryptInput, decryptDemand, openWith } from './decrypt.ts'
import { encryptWith } from './encrypt.ts'

export type ReEncryptInput = {
  readonly source: DecryptInput
  readonly destination: VersionInput & {
    readonly algorithm: AlgorithmChoice
    readonly context?: EncryptionContext | undefined
  }
  readonly dryRun?: boolean | undefined
}
type Side = VersionView & { readonly algorithm: Algorithm }
export type ReEncryptOutput = { readonly source: Side; readonly destination: Side; readonly ciphertext: Uint8Array }

/**
 * Decrypts under one key and encrypts under another; the plaintext is not seen outside.
 * @throws KmsError what decrypt and encrypt throw
 */
export const reEncrypt = pairOperation<ReEncryptInput, ReEncryptOutput>({
  name: 'ReEncrypt',
  action: 're-encrypt',
  source: {
    action: 're-encrypt-from',
    use: 'decrypt',
    locate: ({ source }) => decryptDemand.locate(source),
    algorithm: ({ source }) => decryptDemand.algorithm(source),
  },
  destination: {
    action: 're-encrypt-to',
    use: 'encrypt',
    locate: ({ destination }) => destination,
    algorithm: ({ destination }) => destination.algorithm,
  },
  async run(env, { source, destination }, input) {
    const { algorithm } = destination
    if (algorithm === undefined || source.algorithm === undefined) throw new KmsError('internal')
    const sides = { source: { ...source, algorithm: source.algorithm }, destination: { ...destination, algorithm } }
    const { version, plaintext } = await openWith(env, source, source.algorithm, input.source, input.dryRun)
    try {
      if (input.dryRun === true) return { output: { ...sides, ciphertext: new Uint8Array(0) } }
      const ciphertext = await encryptWith(destination, plaintext, input.destination.context, env.call)
      return { output: { ...sides, source: { ...sides.source, version }, ciphertext } }
    } finally {
      plaintext.fill(0)
    }
  },
})
