import { type Algorithm, maxPlaintext } from '../algorithm.ts'
import { type EncryptionContext, isEnvelope, NO_CONTEXT, sealEnvelope } from '../envelope.ts'
import { KmsError } from '../error.ts'
import { andThen, type Eventually } from '../eventually.ts'
import {
  type AlgorithmChoice,
  chosenUse,
  type UseChoice,
  type UseTarget,
  useOperation,
  type VersionInput,
} from '../operation.ts'
import type { CallContext, EncryptParams } from '../ports.ts'
import type { VersionView } from '../view.ts'

export type EncryptInput = VersionInput & {
  readonly algorithm: AlgorithmChoice
  readonly plaintext: Uint8Array
  /** Envelope algorithms only. */
  readonly context?: EncryptionContext | undefined
  /** Azure's wrapKey is encryption under another name and right. */
  readonly use?: UseChoice | undefined
  /** Everything but the encryption itself (AWS DryRun). */
  readonly dryRun?: boolean | undefined
}
export type EncryptOutput = VersionView & { readonly ciphertext: Uint8Array }

const NOTHING = new Uint8Array(0)
/** RSA has no nonce, and no label in any dialect. */
export const NO_PARAMS: EncryptParams = { nonce: NOTHING, iv: NOTHING, aad: NOTHING }

/** @throws KmsError plaintext_too_large */
function checkedAlgorithm({ handle, algorithm }: UseTarget, plaintext: Uint8Array): Algorithm {
  if (algorithm === undefined) throw new KmsError('internal')
  const limit = maxPlaintext(handle.spec, algorithm)
  if (limit !== undefined && plaintext.length > limit) {
    throw new KmsError('plaintext_too_large', { limit, algorithm, spec: handle.spec })
  }
  return algorithm
}

/** For whatever hands out ciphertexts. @throws KmsError plaintext_too_large */
export function encryptWith(
  target: UseTarget,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
  call: CallContext,
): Eventually<Uint8Array> {
  const { backend, handle } = target
  const algorithm = checkedAlgorithm(target, plaintext)
  return isEnvelope(algorithm)
    ? sealEnvelope(backend, handle, algorithm, plaintext, context ?? NO_CONTEXT, call)
    : backend.encrypt(handle, algorithm, plaintext, NO_PARAMS, call)
}

/** @throws KmsError plaintext_too_large and all that a use may be refused for */
export const encrypt = useOperation<EncryptInput, EncryptOutput>({
  name: 'Encrypt',
  action: 'encrypt',
  use: (input, key) => chosenUse(input.use ?? 'encrypt', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  run({ call }, target, { plaintext, context, dryRun }) {
    if (dryRun === true) {
      checkedAlgorithm(target, plaintext)
      return { output: { ...target, ciphertext: NOTHING } }
    }
    const encrypted = encryptWith(target, plaintext, context, call)
    return andThen(encrypted, (ciphertext) => ({ output: { ...target, ciphertext } }))
  },
})
