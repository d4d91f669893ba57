import { setVersionEnabled } from '../../../core/ops/set-version-enabled.ts'
import { GcpState } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { CryptoKeyVersionSchema } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService, type UpdateCryptoKeyVersionRequest } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, versionTarget } from '../names.ts'
import { versionMessage } from '../resources.ts'
import { badField, RpcError } from '../status.ts'
import { readMask } from '../update-mask.ts'

const nameOf = ({ cryptoKeyVersion }: UpdateCryptoKeyVersionRequest) =>
  parseVersion('crypto_key_version.name', cryptoKeyVersion?.name ?? '')

const EXTERNAL = 'external_protection_level_options'

function readState(state: GcpState | undefined): boolean {
  if (state === GcpState.ENABLED || state === GcpState.DISABLED) return state === GcpState.ENABLED
  throw badField('crypto_key_version.state', 'The state of a CryptoKeyVersion can only be set to ENABLED or DISABLED.')
}

export const updateCryptoKeyVersionBinding = bind(KeyManagementService.method.updateCryptoKeyVersion, {
  operation: setVersionEnabled,
  permission: 'cloudkms.cryptoKeyVersions.update',
  resource: nameOf,
  toInput(request) {
    const mask = readMask(request.updateMask, CryptoKeyVersionSchema, ['state', EXTERNAL])
    if (mask.has(EXTERNAL)) throw new RpcError('UNIMPLEMENTED', `Updating ${EXTERNAL} is not supported.`)
    return { ...versionTarget(nameOf(request)), enabled: readState(request.cryptoKeyVersion?.state) }
  },
  toOutput: (view, _request, ctx) => versionMessage(view, ctx),
})
