import { listVersions } from '../../../core/ops/list-versions.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey } from '../names.ts'
import { readPaging, writeToken } from '../paging.ts'
import { versionMessage } from '../resources.ts'

const listOf = (parent: string): string => `${parent}/cryptoKeyVersions`

export const listCryptoKeyVersionsBinding = bind(KeyManagementService.method.listCryptoKeyVersions, {
  operation: listVersions,
  permission: 'cloudkms.cryptoKeyVersions.list',
  resource: ({ parent }) => parseKey('parent', parent),
  toInput: (request) => ({
    key: keyReference(parseKey('parent', request.parent)),
    ...readPaging(listOf(request.parent), request),
  }),
  toOutput: ({ versions, next, total, ...view }, { parent }, ctx) => ({
    cryptoKeyVersions: versions.map((version) => versionMessage({ ...view, version }, ctx)),
    nextPageToken: writeToken(listOf(parent), next),
    totalSize: total,
  }),
})
