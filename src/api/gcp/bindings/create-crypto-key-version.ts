import { createVersion } from '../../../core/ops/create-version.ts'
import { GcpState } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey } from '../names.ts'
import { versionMessage } from '../resources.ts'
import { badArgument } from '../status.ts'

/** A new version comes to be enabled; nothing else can be asked for. */
const POSSIBLE: ReadonlySet<GcpState> = new Set([GcpState.CRYPTO_KEY_VERSION_STATE_UNSPECIFIED, GcpState.ENABLED])

export const createCryptoKeyVersionBinding = bind(KeyManagementService.method.createCryptoKeyVersion, {
  operation: createVersion,
  permission: 'cloudkms.cryptoKeyVersions.create',
  resource: ({ parent }) => parseKey('parent', parent),
  toInput({ parent, cryptoKeyVersion: version }) {
    if (version !== undefined && !POSSIBLE.has(version.state)) {
      throw badArgument('A CryptoKeyVersion can only be created in state ENABLED.')
    }
    if (version?.externalProtectionLevelOptions !== undefined) {
      throw badArgument(
        'The external_protection_level_options field is for protection levels EXTERNAL and EXTERNAL_VPC.',
      )
    }
    if (version?.trustedWrappingEnabled === true) {
      throw badArgument('The trusted_wrapping_enabled field is for protection level HSM_SINGLE_TENANT.')
    }
    return { key: keyReference(parseKey('parent', parent)), makeCurrent: false }
  },
  toOutput: (view, _request, ctx) => versionMessage(view, ctx),
})
