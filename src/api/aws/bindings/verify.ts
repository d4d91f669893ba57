import { verify } from '../../../core/ops/verify.ts'
import { AwsError } from '../aws-error.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'
import { decodeSignature, signInput, signingAlgorithm } from '../signing.ts'

export const verifyBinding = bind({
  wire: 'Verify',
  operation: verify,
  toInput(wire, ctx) {
    const algorithm = signingAlgorithm(wire.SigningAlgorithm, wire.MessageType)
    return {
      key: parseKeyReference(wire.KeyId, ctx.realm),
      algorithm,
      input: signInput(wire, algorithm),
      signature: decodeSignature(algorithm, wire.Signature),
      dryRun: wire.DryRun,
    }
  },
  /** AWS answers a wrong signature with an error, never with SignatureValid false. */
  toOutput({ key, valid }, wire, ctx) {
    checkDryRun(wire)
    if (!valid) throw new AwsError('KMSInvalidSignatureException')
    return { KeyId: arnOfKey(ctx.realm, key), SignatureValid: true, SigningAlgorithm: wire.SigningAlgorithm }
  },
})
