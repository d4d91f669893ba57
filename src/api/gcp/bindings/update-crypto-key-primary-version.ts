import { setCurrent } from '../../../core/ops/set-current.ts'
import { bind } from '../binding.ts'
import {
  KeyManagementService,
  type UpdateCryptoKeyPrimaryVersionRequest,
} from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey, parseVersion } from '../names.ts'
import { keyMessage } from '../resources.ts'

const VERSION_ID = 'crypto_key_version_id'

const versionOf = ({ name, cryptoKeyVersionId: id }: UpdateCryptoKeyPrimaryVersionRequest) => {
  parseKey('name', name)
  return parseVersion(VERSION_ID, `${name}/cryptoKeyVersions/${id}`)
}

export const updateCryptoKeyPrimaryVersionBinding = bind(KeyManagementService.method.updateCryptoKeyPrimaryVersion, {
  operation: setCurrent,
  permission: 'cloudkms.cryptoKeys.update',
  resource: versionOf,
  toInput(request) {
    const version = versionOf(request)
    return { key: keyReference(version), version: { by: 'number', number: version.version } as const }
  },
  toOutput: (view, _request, ctx) => keyMessage(view, ctx),
})
