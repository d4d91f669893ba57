import { generateDataKey } from '../../../core/ops/generate-data-key.ts'
import { dataKeyInput } from '../data-key.ts'
import { keyArn } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyWithoutPlaintextBinding = bind({
  wire: 'GenerateDataKeyWithoutPlaintext',
  operation: generateDataKey,
  toInput: dataKeyInput,
  toOutput({ key, version, plaintext, ciphertext }, wire, ctx) {
    plaintext.fill(0)
    checkDryRun(wire)
    return { CiphertextBlob: ciphertext, KeyId: keyArn(ctx.realm, key.id), KeyMaterialId: version.materialId }
  },
})
