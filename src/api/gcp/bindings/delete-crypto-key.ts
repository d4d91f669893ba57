import { deleteKey } from '../../../core/ops/delete-key.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey } from '../names.ts'
import { deletionMessage } from '../operations.ts'

export const deleteCryptoKeyBinding = bind(KeyManagementService.method.deleteCryptoKey, {
  operation: deleteKey,
  permission: 'cloudkms.cryptoKeys.delete',
  resource: ({ name }) => parseKey('name', name),
  toInput: ({ name }) => ({ key: keyReference(parseKey('name', name)) }),
  toOutput: ({ tombstone }, _request, ctx) => deletionMessage({ keyId: tombstone.id }, ctx),
})
