import { deriveSharedSecret } from '../../../core/ops/derive-shared-secret.ts'
import { checkGrantTokens, keyAgreementAlgorithm, refuseRecipient } from '../crypto-input.ts'
import { keyArn, parseKeyReference, wireOrigin } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const deriveSharedSecretBinding = bind({
  wire: 'DeriveSharedSecret',
  operation: deriveSharedSecret,
  toInput(wire, ctx) {
    checkGrantTokens(wire.GrantTokens)
    refuseRecipient(wire.Recipient)
    const algorithm = keyAgreementAlgorithm(wire.KeyAgreementAlgorithm)
    const key = parseKeyReference(wire.KeyId, ctx.realm)
    return { key, algorithm, publicKey: wire.PublicKey, dryRun: wire.DryRun }
  },
  toOutput({ key, secret }, wire, ctx) {
    checkDryRun(wire)
    return {
      KeyId: keyArn(ctx.realm, key.id),
      SharedSecret: secret,
      KeyAgreementAlgorithm: wire.KeyAgreementAlgorithm,
      KeyOrigin: wireOrigin(key.origin),
    }
  },
})
