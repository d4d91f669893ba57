import { restoreVersion } from '../../../core/ops/destroy-version.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, versionTarget } from '../names.ts'
import { versionMessage } from '../resources.ts'

export const restoreCryptoKeyVersionBinding = bind(KeyManagementService.method.restoreCryptoKeyVersion, {
  operation: restoreVersion,
  permission: 'cloudkms.cryptoKeyVersions.restore',
  resource: ({ name }) => parseVersion('name', name),
  toInput: ({ name }) => versionTarget(parseVersion('name', name)),
  toOutput: (view, _request, ctx) => versionMessage(view, ctx),
})
