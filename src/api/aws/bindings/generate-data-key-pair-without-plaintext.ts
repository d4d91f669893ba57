import { generateDataKeyPair } from '../../../core/ops/generate-data-key-pair.ts'
import { dataKeyPairInput, renderDataKeyPair } from '../data-key-pair.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyPairWithoutPlaintextBinding = bind({
  wire: 'GenerateDataKeyPairWithoutPlaintext',
  operation: generateDataKeyPair,
  toInput: dataKeyPairInput,
  toOutput(output, wire, ctx) {
    output.privateKey.fill(0)
    checkDryRun(wire)
    return renderDataKeyPair(output, wire, ctx)
  },
})
