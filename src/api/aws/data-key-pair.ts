/** What GenerateDataKeyPair and its twin without plaintext share. */
import type { GenerateDataKeyPairInput, GenerateDataKeyPairOutput } from '../../core/ops/generate-data-key-pair.ts'
import { unsupported } from './aws-error.ts'
import { encryptionContext } from './crypto-input.ts'
import type {
  GenerateDataKeyPairWithoutPlaintextRequest,
  GenerateDataKeyPairWithoutPlaintextResponse,
} from './gen/types.ts'
import { arnOfKey, coreSpec, parseKeyReference } from './names.ts'
import type { AwsContext } from './route.ts'

type PairRequest = GenerateDataKeyPairWithoutPlaintextRequest

/** @throws AwsError for a spec of AWS's that is not there */
export function dataKeyPairInput(wire: PairRequest, ctx: AwsContext): GenerateDataKeyPairInput {
  const spec = coreSpec(wire.KeyPairSpec)
  if (spec === undefined) throw unsupported(`KeyPairSpec ${wire.KeyPairSpec} is not supported.`)
  return {
    key: parseKeyReference(wire.KeyId, ctx.realm),
    spec,
    context: encryptionContext(wire.EncryptionContext, 'envelope'),
    dryRun: wire.DryRun,
  }
}

/** All but the private key in clear. */
export const renderDataKeyPair = (
  { key, version, publicKey, ciphertext }: Omit<GenerateDataKeyPairOutput, 'privateKey'>,
  wire: PairRequest,
  ctx: AwsContext,
): GenerateDataKeyPairWithoutPlaintextResponse => ({
  PrivateKeyCiphertextBlob: ciphertext,
  PublicKey: publicKey,
  KeyId: arnOfKey(ctx.realm, key),
  KeyPairSpec: wire.KeyPairSpec,
  KeyMaterialId: version.materialId,
})
