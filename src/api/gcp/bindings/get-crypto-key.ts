import { getKey } from '../../../core/ops/get-key.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey } from '../names.ts'
import { keyMessage } from '../resources.ts'

export const getCryptoKeyBinding = bind(KeyManagementService.method.getCryptoKey, {
  operation: getKey,
  permission: 'cloudkms.cryptoKeys.get',
  resource: ({ name }) => parseKey('name', name),
  toInput: ({ name }) => ({ key: keyReference(parseKey('name', name)) }),
  toOutput: (view, _request, ctx) => keyMessage(view, ctx),
})
