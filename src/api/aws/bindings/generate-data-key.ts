import { generateDataKey } from '../../../core/ops/generate-data-key.ts'
import { refuseRecipient } from '../crypto-input.ts'
import { dataKeyInput } from '../data-key.ts'
import { keyArn } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyBinding = bind({
  wire: 'GenerateDataKey',
  operation: generateDataKey,
  toInput(wire, ctx) {
    refuseRecipient(wire.Recipient)
    return dataKeyInput(wire, ctx)
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
