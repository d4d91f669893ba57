/** What Decrypt and ReEncrypt share: where the ciphertext comes from, and what material it is of. */
import type { KeyVersion } from '../../core/key.ts'
import type { AlgorithmChoice } from '../../core/operation.ts'
import type { KeyReference } from '../../core/reference.ts'
import { validationError } from './aws-error.ts'
import type { DryRunModifierType, EncryptionAlgorithmSpec } from './gen/types.ts'
import { type AwsAddress, parseKeyReference } from './names.ts'

type Ciphertext = {
  readonly CiphertextBlob?: Uint8Array | undefined
  readonly DryRun?: boolean | undefined
  readonly DryRunModifiers?: readonly DryRunModifierType[] | undefined
}

/** Undefined: a dry run that ignores it, which needs a key instead. @throws AwsError where any other request has none */
export function readCiphertext(wire: Ciphertext): Uint8Array | undefined {
  if (wire.DryRun === true && wire.DryRunModifiers?.includes('IGNORE_CIPHERTEXT') === true) return undefined
  if (wire.CiphertextBlob !== undefined) return wire.CiphertextBlob
  throw validationError(
    "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
  )
}

/** The key that a ciphertext is of, as the caller names it in `member`; symmetric ciphertexts name theirs, where there is one. @throws AwsError */
export function sourceKey(
  keyId: string | undefined,
  member: 'KeyId' | 'SourceKeyId',
  { algorithm, ciphertext }: { readonly algorithm: AlgorithmChoice; readonly ciphertext: Uint8Array | undefined },
  address: AwsAddress,
): KeyReference | undefined {
  if (keyId !== undefined) return parseKeyReference(keyId, address)
  if (ciphertext === undefined) {
    throw validationError(`${member} is required when DryRunModifiers is set to IGNORE_CIPHERTEXT.`)
  }
  if (algorithm === 'envelope') return undefined
  throw validationError(`${member} is required to decrypt with an asymmetric KMS key.`)
}

/** AWS names the material of symmetric encryption keys only. */
export const materialIdFor = (
  algorithm: EncryptionAlgorithmSpec,
  version: Pick<KeyVersion, 'materialId'>,
): string | undefined => (algorithm === 'SYMMETRIC_DEFAULT' ? version.materialId : undefined)
