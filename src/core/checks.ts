/** What a use demands of a key and its version; the same for every dialect (design section 1, principle 1). */
import { type Algorithm, algorithmRow, type KeyUse, purposeOfAlgorithm, specHas, specRow, usesOf } from './algorithm.ts'
import { isEnvelope } from './envelope.ts'
import { KmsError } from './error.ts'
import {
  effectiveKeyState,
  isExternal,
  isInUse,
  type Key,
  type KeyVersion,
  keyStateError,
  usesOfVersion,
  validityError,
  versionStateError,
} from './key.ts'
import type {
  AlgorithmChoice,
  Call,
  KeyOperation,
  KeyTarget,
  SecretOperation,
  SecretTarget,
  VersionOperation,
} from './operation.ts'
import type { CryptoBackend } from './ports.ts'

/** Uses that make something new; the others stay possible outside a key's dates (Azure's nbf and exp, as documented). */
const PROTECTS: ReadonlySet<KeyUse> = new Set<KeyUse>([
  'encrypt',
  'raw_encrypt',
  'sign',
  'wrap',
  'mac_sign',
  'encapsulate',
])
/**
 * Azure answers encrypt, wrap and verify on a disabled key (seen on the live service, azure-sdk-for-python#45342); here
 * only on keys disabled through Azure.
 */
const AZURE_LENIENT: ReadonlySet<KeyUse> = new Set<KeyUse>(['encrypt', 'raw_encrypt', 'wrap', 'verify', 'mac_verify'])

const lenient = (version: KeyVersion, use: KeyUse, call: Call): boolean =>
  call.dialect === 'azure' && version.disabledBy === 'azure' && AZURE_LENIENT.has(use)

/**
 * A version may have several uses in Azure; AWS and GCP know one, fixed by the key's purpose (design section 1, "Azure
 * key_ops"). An exposure shows the key as it is.
 */
const mayUse = (key: Key, version: KeyVersion, use: KeyUse, { dialect }: Call): boolean =>
  usesOfVersion(key, version).includes(use) &&
  (dialect === 'azure' || isExternal(dialect) || usesOf(key.purpose, key.spec).includes(use))

/** @throws KmsError for a state, a date or a use that forbids it */
export function checkUse(key: Key, version: KeyVersion, use: KeyUse, call: Call, operation: string, now: number): void {
  if (key.state !== 'enabled' && !isInUse(key)) throw keyStateError(key.state)
  if (key.materialExpiresAt !== undefined && key.materialExpiresAt <= now) throw keyStateError('pending_import')
  if (version.state !== 'enabled' && !(version.state === 'disabled' && lenient(version, use, call))) {
    throw versionStateError(version.state)
  }
  if (!mayUse(key, version, use, call)) throw new KmsError('usage_mismatch', { usage: key.purpose, operation })
  const invalid = PROTECTS.has(use) ? validityError(version, now) : undefined
  if (invalid !== undefined) throw invalid
}

/**
 * An algorithm has to be of the use that was checked: raw AES is no way to use an envelope's key, nor an agreement to sign.
 * @throws KmsError algorithm_mismatch, unsupported_algorithm
 */
export function checkAlgorithm(
  key: Key,
  version: KeyVersion,
  choice: AlgorithmChoice,
  backend: CryptoBackend,
  use: KeyUse,
): Algorithm {
  const { spec } = version
  if (typeof choice === 'function') return checkAlgorithm(key, version, choice(version, key), backend, use)
  const serves = (name: Algorithm): boolean => usesOf(purposeOfAlgorithm(name), spec).includes(use)
  if (choice === 'envelope') {
    const candidates = specRow(spec).algorithms.filter((name) => isEnvelope(name) && serves(name))
    const algorithm = candidates.find((name) => backend.supports(spec, name))
    if (algorithm === undefined) throw new KmsError('algorithm_mismatch', { algorithm: choice, spec })
    return algorithm
  }
  const allowed = version.algorithms === undefined || version.algorithms.includes(choice) || isEnvelope(choice)
  if (!specHas(spec, choice) || !serves(choice) || !allowed)
    throw new KmsError('algorithm_mismatch', { algorithm: choice, spec })
  if (!backend.supports(spec, choice)) throw new KmsError('unsupported_algorithm', { algorithm: choice, spec })
  return choice
}

/** @throws KmsError key_store_disconnected for a key whose custom key store is not connected */
export function checkConnected({ keyStore }: Pick<KeyTarget, 'keyStore'>): void {
  if (keyStore !== undefined && keyStore.state !== 'connected') throw new KmsError('key_store_disconnected')
}

/** @throws KmsError for a key whose effective state is not one of them */
export function checkKeyState(target: KeyTarget, states: KeyOperation<never, unknown>['states']): void {
  if (states === undefined) return
  const state = effectiveKeyState(target.key, target.current, target.keyStore)
  if (states.includes(state)) return
  if (state === 'unavailable') checkConnected(target)
  throw state === 'enabled' ? new KmsError('key_not_pending_deletion') : keyStateError(state)
}

/** @throws KmsError for a version whose state is not one of them */
export function checkVersionState({ state }: KeyVersion, states: VersionOperation<never, unknown>['states']): void {
  if (states === undefined || states.includes(state)) return
  throw state === 'enabled' ? new KmsError('version_state', { state }) : versionStateError(state)
}

/** A deleted secret has left: only what asks for deleted ones finds it. @throws KmsError */
export function checkSecretLife(
  { secret }: Omit<SecretTarget, 'secretVersion'>,
  { expect }: SecretOperation<never, unknown>,
): void {
  const reference = secret.name
  if (expect === 'live' && secret.deletion !== undefined) throw new KmsError('secret_not_found', { reference })
  if (expect === 'deleted' && secret.deletion === undefined) throw new KmsError('secret_not_deleted', { reference })
}

/** Whether an algorithm takes a digest made by the caller. */
export function digestHash(algorithm: Algorithm) {
  const row = algorithmRow(algorithm)
  return row.op === 'sign' && 'hash' in row ? row.hash : undefined
}
