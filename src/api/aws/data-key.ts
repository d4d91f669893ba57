/** What GenerateDataKey and its twin without plaintext share. */
import type { GenerateDataKeyInput } from '../../core/ops/generate-data-key.ts'
import { validationError } from './aws-error.ts'
import { encryptionContext } from './crypto-input.ts'
import type { DataKeySpec, GenerateDataKeyWithoutPlaintextRequest } from './gen/types.ts'
import { parseKeyReference } from './names.ts'
import type { AwsContext } from './route.ts'

const BYTES = { AES_128: 16, AES_256: 32 } as const satisfies Record<DataKeySpec, number>

type DataKeyRequest = GenerateDataKeyWithoutPlaintextRequest

function bytesOf({ KeySpec: spec, NumberOfBytes: bytes }: DataKeyRequest): number {
  if (spec !== undefined && bytes === undefined) return BYTES[spec]
  if (spec === undefined && bytes !== undefined) return bytes
  throw validationError(
    spec === undefined
      ? 'Please specify either number of bytes or key spec.'
      : 'Please specify either number of bytes or key spec, but not both.',
  )
}

export function dataKeyInput(wire: DataKeyRequest, ctx: AwsContext): GenerateDataKeyInput {
  return {
    key: parseKeyReference(wire.KeyId, ctx.realm),
    bytes: bytesOf(wire),
    context: encryptionContext(wire.EncryptionContext, 'envelope'),
    dryRun: wire.DryRun,
  }
}
