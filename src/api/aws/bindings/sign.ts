import { sign } from '../../../core/ops/sign.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'
import { encodeSignature, signInput, signingAlgorithm } from '../signing.ts'

export const signBinding = bind({
  wire: 'Sign',
  operation: sign,
  toInput(wire, ctx) {
    const algorithm = signingAlgorithm(wire.SigningAlgorithm, wire.MessageType)
    const key = parseKeyReference(wire.KeyId, ctx.realm)
    return { key, algorithm, input: signInput(wire, algorithm), dryRun: wire.DryRun }
  },
  toOutput({ key, algorithm, signature }, wire, ctx) {
    checkDryRun(wire)
    return {
      KeyId: arnOfKey(ctx.realm, key),
      Signature: encodeSignature(algorithm, signature),
      SigningAlgorithm: wire.SigningAlgorithm,
    }
  },
})
