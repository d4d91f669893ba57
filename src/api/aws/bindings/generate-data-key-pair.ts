import { generateDataKeyPair } from '../../../core/ops/generate-data-key-pair.ts'
import { refuseRecipient } from '../crypto-input.ts'
import { dataKeyPairInput, renderDataKeyPair } from '../data-key-pair.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateDataKeyPairBinding = bind({
  wire: 'GenerateDataKeyPair',
  operation: generateDataKeyPair,
  toInput(wire, ctx) {
    refuseRecipient(wire.Recipient)
    return dataKeyPairInput(wire, ctx)
  },
  toOutput(output, wire, ctx) {
    checkDryRun(wire)
    return { ...renderDataKeyPair(output, wire, ctx), PrivateKeyPlaintext: output.privateKey }
  },
})
