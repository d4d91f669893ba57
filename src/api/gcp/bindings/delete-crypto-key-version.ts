import { deleteVersion } from '../../../core/ops/delete-version.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, versionTarget } from '../names.ts'
import { deletionMessage } from '../operations.ts'

export const deleteCryptoKeyVersionBinding = bind(KeyManagementService.method.deleteCryptoKeyVersion, {
  operation: deleteVersion,
  permission: 'cloudkms.cryptoKeyVersions.delete',
  resource: ({ name }) => parseVersion('name', name),
  toInput: ({ name }) => versionTarget(parseVersion('name', name)),
  toOutput: ({ key, version }, _request, ctx) => deletionMessage({ keyId: key.id, number: version.number }, ctx),
})
