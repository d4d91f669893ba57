import { generateDataKey } from '../../../core/ops/generate-data-key.ts'
import { dataKeyInput } from '../data-key.ts'
import { arnOfKey } from '../names.ts'
import { attest, secretMember } from '../recipient/index.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyBinding = bind({
  wire: 'GenerateDataKey',
  operation: generateDataKey,
  toInput(wire, ctx) {
    attest(wire.Recipient, ctx)
    return dataKeyInput(wire, ctx)
  },
  toOutput({ key, version, plaintext, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    return {
      CiphertextBlob: ciphertext,
      ...secretMember('Plaintext', plaintext, wire.Recipient, ctx),
      KeyId: arnOfKey(ctx.realm, key),
      KeyMaterialId: version.materialId,
    }
  },
})
