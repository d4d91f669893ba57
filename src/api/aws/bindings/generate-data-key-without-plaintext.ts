import { generateDataKeyWithoutPlaintext } from '../../../core/ops/generate-data-key-without-plaintext.ts'
import { dataKeyInput } from '../data-key.ts'
import { arnOfKey } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyWithoutPlaintextBinding = bind({
  wire: 'GenerateDataKeyWithoutPlaintext',
  operation: generateDataKeyWithoutPlaintext,
  toInput: dataKeyInput,
  toOutput({ key, version, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    return { CiphertextBlob: ciphertext, KeyId: arnOfKey(ctx.realm, key), KeyMaterialId: version.materialId }
  },
})
