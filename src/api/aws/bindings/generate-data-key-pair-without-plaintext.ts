import { generateDataKeyPairWithoutPlaintext } from '../../../core/ops/generate-data-key-pair-without-plaintext.ts'
import { dataKeyPairInput, renderDataKeyPair } from '../data-key-pair.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyPairWithoutPlaintextBinding = bind({
  wire: 'GenerateDataKeyPairWithoutPlaintext',
  operation: generateDataKeyPairWithoutPlaintext,
  toInput: dataKeyPairInput,
  toOutput(output, wire, ctx) {
    checkDryRun(wire)
    return renderDataKeyPair(output, wire, ctx)
  },
})
