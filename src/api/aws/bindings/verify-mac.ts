import { verifyMac } from '../../../core/ops/verify-mac.ts'
import { AwsError } from '../aws-error.ts'
import { macAlgorithm } from '../crypto-input.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const verifyMacBinding = bind({
  wire: 'VerifyMac',
  operation: verifyMac,
  toInput(wire, ctx) {
    return {
      key: parseKeyReference(wire.KeyId, ctx.realm),
      algorithm: macAlgorithm(wire.MacAlgorithm),
      message: wire.Message,
      mac: wire.Mac,
      dryRun: wire.DryRun,
    }
  },
  /** AWS answers a wrong MAC with an error, never with MacValid false. */
  toOutput({ key, valid }, wire, ctx) {
    checkDryRun(wire)
    if (!valid) throw new AwsError('KMSInvalidMacException')
    return { KeyId: arnOfKey(ctx.realm, key), MacValid: true, MacAlgorithm: wire.MacAlgorithm }
  },
})
