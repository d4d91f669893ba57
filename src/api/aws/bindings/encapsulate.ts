import { encapsulate } from '../../../core/ops/encapsulate.ts'
import { encapsulationAlgorithm } from '../crypto-input.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const encapsulateBinding = bind({
  wire: 'Encapsulate',
  operation: encapsulate,
  toInput(wire, ctx) {
    const algorithm = encapsulationAlgorithm(wire.EncapsulationAlgorithm)
    return { key: parseKeyReference(wire.KeyId, ctx.realm), algorithm, dryRun: wire.DryRun }
  },
  toOutput({ key, secret, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    return {
      KeyId: arnOfKey(ctx.realm, key),
      SharedSecret: secret,
      SharedSecretCiphertextBlob: ciphertext,
      EncapsulationAlgorithm: wire.EncapsulationAlgorithm,
    }
  },
})
