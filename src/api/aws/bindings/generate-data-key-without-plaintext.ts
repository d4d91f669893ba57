import { generateDataKeyWithoutPlaintext } from '../../../core/ops/generate-data-key-without-plaintext.ts'
import { dataKeyInput } from '../data-key.ts'
import { keyArn } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyWithoutPlaintextBinding = bind({
  wire: 'GenerateDataKeyWithoutPlaintext',
  operation: generateDataKeyWithoutPlaintext,
  toInput: dataKeyInput,
  toOutput({ key, version, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    return { CiphertextBlob: ciphertext, KeyId: keyArn(ctx.realm, key.id), KeyMaterialId: version.materialId }
  },
})
