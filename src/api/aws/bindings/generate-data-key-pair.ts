import { generateDataKeyPair } from '../../../core/ops/generate-data-key-pair.ts'
import { dataKeyPairInput, renderDataKeyPair } from '../data-key-pair.ts'
import { attest, secretMember } from '../recipient/index.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyPairBinding = bind({
  wire: 'GenerateDataKeyPair',
  operation: generateDataKeyPair,
  toInput(wire, ctx) {
    attest(wire.Recipient, ctx)
    return dataKeyPairInput(wire, ctx)
  },
  toOutput(output, wire, ctx) {
    checkDryRun(wire)
    return {
      ...renderDataKeyPair(output, wire, ctx),
      ...secretMember('PrivateKeyPlaintext', output.privateKey, wire.Recipient, ctx),
    }
  },
})
