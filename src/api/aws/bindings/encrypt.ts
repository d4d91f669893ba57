import { encrypt } from '../../../core/ops/encrypt.ts'
import { encryptionAlgorithm, encryptionContext } from '../crypto-input.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const encryptBinding = bind({
  wire: 'Encrypt',
  operation: encrypt,
  toInput(wire, ctx) {
    const algorithm = encryptionAlgorithm(wire.EncryptionAlgorithm)
    return {
      key: parseKeyReference(wire.KeyId, ctx.realm),
      algorithm,
      plaintext: wire.Plaintext,
      context: encryptionContext(wire.EncryptionContext, algorithm),
      dryRun: wire.DryRun,
    }
  },
  toOutput({ key, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    return {
      CiphertextBlob: ciphertext,
      KeyId: arnOfKey(ctx.realm, key),
      EncryptionAlgorithm: wire.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT',
    }
  },
})
