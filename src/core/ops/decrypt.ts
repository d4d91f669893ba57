import { type Algorithm, specRow } from '../algorithm.ts'
import { type EncryptionContext, isEnvelope, NO_CONTEXT, openEnvelope, parseEnvelope } from '../envelope.ts'
import { KmsError } from '../error.ts'
import { andThen, type Eventually } from '../eventually.ts'
import { handleOf, type KeyVersion } from '../key.ts'
import {
  type AlgorithmChoice,
  chosenUse,
  type Demand,
  type Env,
  type Located,
  type UseChoice,
  type UseTarget,
  useOperation,
} from '../operation.ts'
import type { KeyReference, VersionReference } from '../reference.ts'
import type { VersionView } from '../view.ts'
import { NO_PARAMS } from './encrypt.ts'
import { openWithAny } from './other-versions.ts'

export type DecryptInput = {
  /** Optional for envelope ciphertexts, which name their version. */
  readonly key?: KeyReference | undefined
  readonly version?: VersionReference | undefined
  readonly algorithm: AlgorithmChoice
  /** Absent: a dry run that looks at none. */
  readonly ciphertext?: Uint8Array | undefined
  readonly context?: EncryptionContext | undefined
  readonly use?: UseChoice | undefined
  readonly dryRun?: boolean | undefined
}
export type DecryptOutput = VersionView & { readonly plaintext: Uint8Array }

const sealed = (input: DecryptInput): boolean => input.algorithm === 'envelope'

const envelopeAlgorithm = (input: DecryptInput) => (version: KeyVersion) => {
  if (specRow(version.spec).type !== 'aes') {
    throw new KmsError('algorithm_mismatch', { algorithm: 'envelope', spec: version.spec })
  }
  return input.ciphertext === undefined ? 'envelope' : parseEnvelope(input.ciphertext).algorithm
}

function locate(input: DecryptInput): Located {
  if (!sealed(input) || input.ciphertext === undefined) {
    if (input.key === undefined) throw new KmsError('internal')
    return { key: input.key, version: input.version }
  }
  try {
    const { versionId } = parseEnvelope(input.ciphertext)
    const located = { key: { by: 'version', versionId }, version: { by: 'id', id: versionId } } as const
    return input.key === undefined ? located : { ...located, expected: input.key }
  } catch (error) {
    // The key that the caller named has the first word; `algorithm` refuses the ciphertext after it.
    if (input.key === undefined) throw error
    return { key: input.key }
  }
}

/** RSA ciphertexts don't name their version. */
const decryptRaw = (env: Env, target: UseTarget, algorithm: Algorithm, input: DecryptInput, ciphertext: Uint8Array) =>
  openWithAny(env, target, input.version, (version) =>
    env.backends
      .named(version.backend)
      .decrypt(handleOf(target.ring, version), algorithm, ciphertext, NO_PARAMS, env.call),
  )

type Opened = { readonly version: KeyVersion; readonly plaintext: Uint8Array }

/** The plaintext, and the version it was under; a dry run has none that it was told not to look for. */
export function openWith(
  env: Env,
  target: UseTarget,
  algorithm: Algorithm,
  input: DecryptInput,
  dryRun: boolean | undefined,
): Eventually<Opened> {
  const { ciphertext } = input
  if (ciphertext !== undefined) return openBytes(env, target, algorithm, input, ciphertext)
  if (dryRun !== true) throw new KmsError('internal')
  return { version: target.version, plaintext: new Uint8Array(0) }
}

function openBytes(
  env: Env,
  target: UseTarget,
  algorithm: Algorithm,
  input: DecryptInput,
  ciphertext: Uint8Array,
): Eventually<Opened> {
  if (!isEnvelope(algorithm)) return decryptRaw(env, target, algorithm, input, ciphertext)
  const { backend, handle, version } = target
  const context = input.context ?? NO_CONTEXT
  const opened = openEnvelope(backend, handle, ciphertext, context, env.call)
  return andThen(opened, (plaintext) => ({ version, plaintext }))
}

/** How a ciphertext finds its key; re-encryption finds it so too. */
export const decryptDemand: Pick<Demand<DecryptInput>, 'locate' | 'algorithm'> = {
  locate,
  algorithm: (input) => (sealed(input) ? envelopeAlgorithm(input) : input.algorithm),
}

/** @throws KmsError invalid_ciphertext whatever was wrong with it; incorrect_key when it belongs to another key */
export const decrypt = useOperation<DecryptInput, DecryptOutput>({
  name: 'Decrypt',
  action: 'decrypt',
  use: (input, key) => chosenUse(input.use ?? 'decrypt', key),
  ...decryptDemand,
  run(env, target, input) {
    const { algorithm } = target
    if (algorithm === undefined) throw new KmsError('internal')
    return andThen(openWith(env, target, algorithm, input, input.dryRun), ({ version, plaintext }) => ({
      output: { ...target, version, plaintext },
      subject: { version },
    }))
  },
})
