import { reEncrypt } from '../../../core/ops/re-encrypt.ts'
import { materialIdFor, readCiphertext, sourceKey } from '../ciphertext.ts'
import { encryptionAlgorithm, encryptionContext } from '../crypto-input.ts'
import type { ReEncryptRequest } from '../gen/types.ts'
import { arnOfKey, parseKeyReference } from '../names.ts'
import { type AwsContext, bind, checkDryRun } from '../route.ts'

function readSource(wire: ReEncryptRequest, ctx: AwsContext) {
  const algorithm = encryptionAlgorithm(wire.SourceEncryptionAlgorithm)
  const ciphertext = readCiphertext(wire)
  return {
    ciphertext,
    key: sourceKey(wire.SourceKeyId, 'SourceKeyId', { algorithm, ciphertext }, ctx.realm),
    algorithm,
    context: encryptionContext(wire.SourceEncryptionContext, algorithm),
  }
}

function readDestination(wire: ReEncryptRequest, ctx: AwsContext) {
  const algorithm = encryptionAlgorithm(wire.DestinationEncryptionAlgorithm)
  return {
    key: parseKeyReference(wire.DestinationKeyId, ctx.realm),
    algorithm,
    context: encryptionContext(wire.DestinationEncryptionContext, algorithm),
  }
}

export const reEncryptBinding = bind({
  wire: 'ReEncrypt',
  operation: reEncrypt,
  toInput(wire, ctx) {
    return { source: readSource(wire, ctx), destination: readDestination(wire, ctx), dryRun: wire.DryRun }
  },
  toOutput({ source, destination, ciphertext }, wire, ctx) {
    checkDryRun(wire)
    const from = wire.SourceEncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    const to = wire.DestinationEncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    return {
      CiphertextBlob: ciphertext,
      SourceKeyId: arnOfKey(source.realm.aws ?? ctx.realm, source.key),
      KeyId: arnOfKey(destination.realm.aws ?? ctx.realm, destination.key),
      SourceEncryptionAlgorithm: from,
      DestinationEncryptionAlgorithm: to,
      SourceKeyMaterialId: materialIdFor(from, source.version),
      DestinationKeyMaterialId: materialIdFor(to, destination.version),
    }
  },
})
