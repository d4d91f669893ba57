import { setVersionEnabled } from '../../../core/ops/set-version-enabled.ts'
import { GcpState } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { KeyManagementService, type UpdateCryptoKeyVersionRequest } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, versionTarget } from '../names.ts'
import { versionMessage } from '../resources.ts'
import { badArgument, RpcError } from '../status.ts'

const nameOf = ({ cryptoKeyVersion }: UpdateCryptoKeyVersionRequest) =>
  parseVersion('crypto_key_version.name', cryptoKeyVersion?.name ?? '')

function checkMask(paths: readonly string[]): void {
  if (paths.length === 0) throw badArgument('The update_mask field is required.')
  if (paths.some((path) => path.startsWith('external_protection_level_options'))) {
    throw new RpcError('UNIMPLEMENTED', 'Updating external_protection_level_options is not supported.')
  }
  if (paths.some((path) => path !== 'state'))
    throw badArgument('The update_mask names a field that can not be updated.')
}

function readState(state: GcpState | undefined): boolean {
  if (state === GcpState.ENABLED || state === GcpState.DISABLED) return state === GcpState.ENABLED
  throw badArgument('The state of a CryptoKeyVersion can only be set to ENABLED or DISABLED.')
}

export const updateCryptoKeyVersionBinding = bind(KeyManagementService.method.updateCryptoKeyVersion, {
  operation: setVersionEnabled,
  permission: 'cloudkms.cryptoKeyVersions.update',
  resource: nameOf,
  toInput(request) {
    checkMask(request.updateMask?.paths ?? [])
    return { ...versionTarget(nameOf(request)), enabled: readState(request.cryptoKeyVersion?.state) }
  },
  toOutput: (view, _request, ctx) => versionMessage(view, ctx),
})
