/** What Decrypt and ReEncrypt share: where the ciphertext comes from, and what material it is of. */
import type { KeyVersion } from '../../core/key.ts'
import type { AlgorithmChoice } from '../../core/operation.ts'
import type { KeyReference } from '../../core/reference.ts'
import { unsupported, validationError } from './aws-error.ts'
import type { DryRunModifierType, EncryptionAlgorithmSpec } from './gen/types.ts'
import { type AwsAddress, parseKeyReference } from './names.ts'

/** @throws AwsError: leaving the ciphertext out of a dry run is not there */
export function refuseDryRunModifiers(modifiers: readonly DryRunModifierType[] | undefined): void {
  if (modifiers !== undefined && modifiers.length > 0) throw unsupported('DryRunModifiers is not supported.')
}

/** The model takes requests without one, for dry runs that ignore it. @throws AwsError */
export function readCiphertext(ciphertext: Uint8Array | undefined): Uint8Array {
  if (ciphertext !== undefined) return ciphertext
  throw validationError(
    "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
  )
}

/** The key that a ciphertext is of, as the caller names it in `member`; symmetric ciphertexts name theirs. @throws AwsError */
export function sourceKey(
  keyId: string | undefined,
  member: 'KeyId' | 'SourceKeyId',
  algorithm: AlgorithmChoice,
  address: AwsAddress,
): KeyReference | undefined {
  if (keyId !== undefined) return parseKeyReference(keyId, address)
  if (algorithm === 'envelope') return undefined
  throw validationError(`${member} is required to decrypt with an asymmetric KMS key.`)
}

/** AWS names the material of symmetric encryption keys only. */
export const materialIdFor = (
  algorithm: EncryptionAlgorithmSpec,
  version: Pick<KeyVersion, 'materialId'>,
): string | undefined => (algorithm === 'SYMMETRIC_DEFAULT' ? version.materialId : undefined)
