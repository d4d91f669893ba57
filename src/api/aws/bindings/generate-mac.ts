import { generateMac } from '../../../core/ops/generate-mac.ts'
import { macAlgorithm } from '../crypto-input.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const generateMacBinding = bind({
  wire: 'GenerateMac',
  operation: generateMac,
  toInput(wire, ctx) {
    return {
      key: parseKeyReference(wire.KeyId, ctx.realm),
      algorithm: macAlgorithm(wire.MacAlgorithm),
      message: wire.Message,
      dryRun: wire.DryRun,
    }
  },
  toOutput({ key, mac }, wire, ctx) {
    checkDryRun(wire)
    return { KeyId: arnOfKey(ctx.realm, key), Mac: mac, MacAlgorithm: wire.MacAlgorithm }
  },
})
