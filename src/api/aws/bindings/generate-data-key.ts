import { generateDataKey } from '../../../core/ops/generate-data-key.ts'
import { validationError } from '../aws-error.ts'
import { checkGrantTokens, encryptionContext, refuseRecipient } from '../crypto-input.ts'
import type { DataKeySpec, GenerateDataKeyRequest } from '../gen/types.ts'
import { keyArn, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

const BYTES = { AES_128: 16, AES_256: 32 } as const satisfies Record<DataKeySpec, number>

function bytesOf({ KeySpec: spec, NumberOfBytes: bytes }: GenerateDataKeyRequest): number {
  if (spec !== undefined && bytes === undefined) return BYTES[spec]
  if (spec === undefined && bytes !== undefined) return bytes
  throw validationError(
    spec === undefined
      ? 'Please specify either number of bytes or key spec.'
      : 'Please specify either number of bytes or key spec, but not both.',
  )
}

export const generateDataKeyBinding = bind({
  wire: 'GenerateDataKey',
  operation: generateDataKey,
  toInput(wire, ctx) {
    checkGrantTokens(wire.GrantTokens)
    refuseRecipient(wire.Recipient)
    return {
      key: parseKeyReference(wire.KeyId, ctx.realm),
      bytes: bytesOf(wire),
      context: encryptionContext(wire.EncryptionContext, 'envelope'),
      dryRun: wire.DryRun,
    }
  },
  toOutput({ key, version, plaintext, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    return {
      CiphertextBlob: ciphertext,
      Plaintext: plaintext,
      KeyId: keyArn(ctx.realm, key.id),
      KeyMaterialId: version.materialId,
    }
  },
})
