import { type KeySpec, type Purpose, purposesOf } from '../../../core/algorithm.ts'
import { type CreateKeyInput, createKey } from '../../../core/ops/create-key.ts'
import { unsupported, validationError } from '../aws-error.ts'
import { askerOf } from '../facts.ts'
import type { CreateKeyRequest, KeyUsageType, KeySpec as WireSpec } from '../gen/types.ts'
import { corePurpose, coreSpec, parseKeyStore } from '../names.ts'
import { checkNewPolicy } from '../policy-document.ts'
import { renderKeyMetadata } from '../render-key-metadata.ts'
import { bind } from '../route.ts'
import { readTags } from '../tags.ts'

/** A key store's kind and the key's origin go together, and its keys are for symmetric encryption alone. */
function readKeyStore(wire: CreateKeyRequest, spec: WireSpec): CreateKeyInput['keyStore'] {
  const { Origin: origin = 'AWS_KMS', CustomKeyStoreId: id, XksKeyId: externalKeyId } = wire
  const custom = origin === 'AWS_CLOUDHSM' || origin === 'EXTERNAL_KEY_STORE'
  if (custom !== (id !== undefined)) {
    throw validationError(
      custom
        ? `CustomKeyStoreId is required when Origin is ${origin}.`
        : `CustomKeyStoreId is not valid when Origin is ${origin}.`,
    )
  }
  if ((origin === 'EXTERNAL_KEY_STORE') !== (externalKeyId !== undefined)) {
    throw validationError(
      externalKeyId === undefined
        ? 'XksKeyId is required when Origin is EXTERNAL_KEY_STORE.'
        : `XksKeyId is not valid when Origin is ${origin}.`,
    )
  }
  if (id === undefined) return undefined
  if (spec !== 'SYMMETRIC_DEFAULT' || (wire.KeyUsage ?? 'ENCRYPT_DECRYPT') !== 'ENCRYPT_DECRYPT') {
    throw unsupported(`KeySpec ${spec} is not supported in a custom key store.`)
  }
  if (wire.MultiRegion === true) throw unsupported('MultiRegion is not supported in a custom key store.')
  const kind = externalKeyId === undefined ? ('token' as const) : ('proxy' as const)
  return { id: parseKeyStore(id), kind, ...(externalKeyId !== undefined && { externalKeyId }) }
}

function readSpec(wire: CreateKeyRequest): WireSpec {
  if (wire.KeySpec !== undefined && wire.CustomerMasterKeySpec !== undefined) {
    throw validationError(
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    )
  }
  return wire.KeySpec ?? wire.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT'
}

/** Of the curves that the core can agree with, AWS has NIST's alone. */
const hasKeyAgreement = (spec: WireSpec): boolean => spec.startsWith('ECC_NIST_P')

function readPurpose(wireSpec: WireSpec, spec: KeySpec, usage: KeyUsageType | undefined): Purpose {
  if (usage === undefined && wireSpec !== 'SYMMETRIC_DEFAULT') {
    throw validationError('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.')
  }
  const wanted = usage ?? 'ENCRYPT_DECRYPT'
  const purpose = corePurpose(wanted)
  const foreign = purpose === 'key_agreement' && !hasKeyAgreement(wireSpec)
  if (purpose === undefined || foreign || !purposesOf(spec).includes(purpose)) {
    throw validationError(`KeyUsage ${wanted} is not compatible with KeySpec ${wireSpec}`)
  }
  return purpose
}

export const createKeyBinding = bind({
  wire: 'CreateKey',
  operation: createKey,
  toInput(wire, ctx): CreateKeyInput {
    const wireSpec = readSpec(wire)
    const keyStore = readKeyStore(wire, wireSpec)
    const spec = coreSpec(wireSpec)
    if (spec === undefined) throw unsupported(`KeySpec ${wireSpec} is not supported.`)
    const purpose = readPurpose(wireSpec, spec, wire.KeyUsage)
    if (wire.Policy !== undefined) {
      const asker = askerOf('CreateKey', wire, ctx)
      checkNewPolicy(wire.Policy, { ...ctx.realm, bypass: wire.BypassPolicyLockoutSafetyCheck, asker })
    }
    return {
      ring: { by: 'default' },
      spec,
      purpose,
      keyStore,
      description: wire.Description,
      tags: readTags(wire.Tags ?? []),
      awsPolicy: wire.Policy,
      pendingImport: wire.Origin === 'EXTERNAL',
      multiRegion: wire.MultiRegion,
    }
  },
  toOutput: (view, _wire, ctx) => ({ KeyMetadata: renderKeyMetadata(view, ctx.realm) }),
})
