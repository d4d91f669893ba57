import { deriveSharedSecret } from '../../../core/ops/derive-shared-secret.ts'
import { keyAgreementAlgorithm } from '../crypto-input.ts'
import { arnOfKey, parseKeyReference, wireOrigin } from '../names.ts'
import { attest, secretMember } from '../recipient/index.ts'
import { bind, checkDryRun } from '../route.ts'

export const deriveSharedSecretBinding = bind({
  wire: 'DeriveSharedSecret',
  operation: deriveSharedSecret,
  toInput(wire, ctx) {
    attest(wire.Recipient, ctx)
    const algorithm = keyAgreementAlgorithm(wire.KeyAgreementAlgorithm)
    const key = parseKeyReference(wire.KeyId, ctx.realm)
    return { key, algorithm, publicKey: wire.PublicKey, dryRun: wire.DryRun }
  },
  toOutput({ key, secret }, wire, ctx) {
    checkDryRun(wire)
    return {
      KeyId: arnOfKey(ctx.realm, key),
      ...secretMember('SharedSecret', secret, wire.Recipient, ctx),
      KeyAgreementAlgorithm: wire.KeyAgreementAlgorithm,
      KeyOrigin: wireOrigin(key.origin),
    }
  },
})
