import { reEncryptFrom, reEncryptTo } from '../../../core/ops/re-encrypt-sides.ts'
import { materialIdFor, readCiphertext, refuseDryRunModifiers, sourceKey } from '../ciphertext.ts'
import { checkGrantTokens, encryptionAlgorithm, encryptionContext } from '../crypto-input.ts'
import type { EncryptionAlgorithmSpec, ReEncryptRequest, ReEncryptResponse } from '../gen/types.ts'
import { keyArn, parseKeyReference } from '../names.ts'
import { type AwsContext, checkDryRun, type Route, routeOf } from '../route.ts'

function toSource(wire: ReEncryptRequest, ctx: AwsContext) {
  const algorithm = encryptionAlgorithm(wire.SourceEncryptionAlgorithm)
  return {
    key: sourceKey(wire.SourceKeyId, 'SourceKeyId', algorithm, ctx.realm),
    algorithm,
    ciphertext: readCiphertext(wire.CiphertextBlob),
    context: encryptionContext(wire.SourceEncryptionContext, algorithm),
    dryRun: wire.DryRun,
  }
}

function toDestination(wire: ReEncryptRequest, ctx: AwsContext) {
  const algorithm = encryptionAlgorithm(wire.DestinationEncryptionAlgorithm)
  return {
    key: parseKeyReference(wire.DestinationKeyId, ctx.realm),
    algorithm,
    context: encryptionContext(wire.DestinationEncryptionContext, algorithm),
    dryRun: wire.DryRun,
  }
}

const SYMMETRIC: EncryptionAlgorithmSpec = 'SYMMETRIC_DEFAULT'

export const reEncryptRoute: Route = routeOf(
  'ReEncrypt',
  [reEncryptFrom.name, reEncryptTo.name],
  async (wire, kernel, call, ctx): Promise<ReEncryptResponse> => {
    checkGrantTokens(wire.GrantTokens)
    refuseDryRunModifiers(wire.DryRunModifiers)
    const [source, destination] = [toSource(wire, ctx), toDestination(wire, ctx)]
    const from = await kernel.execute(reEncryptFrom, source, call)
    try {
      const to = await kernel.execute(reEncryptTo, { ...destination, plaintext: from.plaintext }, call)
      checkDryRun(wire)
      const sourceAlgorithm = wire.SourceEncryptionAlgorithm ?? SYMMETRIC
      const destinationAlgorithm = wire.DestinationEncryptionAlgorithm ?? SYMMETRIC
      return {
        CiphertextBlob: to.ciphertext,
        SourceKeyId: keyArn(ctx.realm, from.key.id),
        KeyId: keyArn(ctx.realm, to.key.id),
        SourceEncryptionAlgorithm: sourceAlgorithm,
        DestinationEncryptionAlgorithm: destinationAlgorithm,
        SourceKeyMaterialId: materialIdFor(sourceAlgorithm, from.version),
        DestinationKeyMaterialId: materialIdFor(destinationAlgorithm, to.version),
      }
    } finally {
      from.plaintext.fill(0)
    }
  },
)
