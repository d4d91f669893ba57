import { decapsulate } from '../../../core/ops/decapsulate.ts'
import { encapsulationAlgorithm } from '../crypto-input.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const decapsulateBinding = bind({
  wire: 'Decapsulate',
  operation: decapsulate,
  toInput(wire, ctx) {
    const algorithm = encapsulationAlgorithm(wire.EncapsulationAlgorithm)
    const key = parseKeyReference(wire.KeyId, ctx.realm)
    return { key, algorithm, ciphertext: wire.SharedSecretCiphertextBlob, dryRun: wire.DryRun }
  },
  toOutput({ key, secret }, wire, ctx) {
    checkDryRun(wire)
    return {
      KeyId: arnOfKey(ctx.realm, key),
      SharedSecret: secret,
      EncapsulationAlgorithm: wire.EncapsulationAlgorithm,
    }
  },
})
