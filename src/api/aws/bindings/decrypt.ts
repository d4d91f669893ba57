import { decrypt } from '../../../core/ops/decrypt.ts'
import { unsupported, validationError } from '../aws-error.ts'
import { checkGrantTokens, encryptionAlgorithm, encryptionContext, refuseRecipient } from '../crypto-input.ts'
import { keyArn, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const decryptBinding = bind({
  wire: 'Decrypt',
  operation: decrypt,
  toInput(wire, ctx) {
    checkGrantTokens(wire.GrantTokens)
    refuseRecipient(wire.Recipient)
    if (wire.DryRunModifiers !== undefined && wire.DryRunModifiers.length > 0) {
      throw unsupported('DryRunModifiers is not supported.')
    }
    const algorithm = encryptionAlgorithm(wire.EncryptionAlgorithm)
    if (wire.CiphertextBlob === undefined) {
      throw validationError(
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
      )
    }
    if (wire.KeyId === undefined && algorithm !== 'envelope') {
      throw validationError('KeyId is required to decrypt with an asymmetric KMS key.')
    }
    return {
      key: wire.KeyId === undefined ? undefined : parseKeyReference(wire.KeyId, ctx.realm),
      algorithm,
      ciphertext: wire.CiphertextBlob,
      context: encryptionContext(wire.EncryptionContext, algorithm),
      dryRun: wire.DryRun,
    }
  },
  toOutput({ key, version, plaintext }, wire, ctx) {
    checkDryRun(wire)
    const algorithm = wire.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    return {
      KeyId: keyArn(ctx.realm, key.id),
      Plaintext: plaintext,
      EncryptionAlgorithm: algorithm,
      ...(algorithm === 'SYMMETRIC_DEFAULT' && { KeyMaterialId: version.materialId }),
    }
  },
})
