import { listVersions } from '../../../core/ops/list-versions.ts'
import type { VersionView } from '../../../core/view.ts'
import { bind } from '../binding.ts'
import { CryptoKeyVersionSchema } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey } from '../names.ts'
import { pageEnd, readMatches, readPaging } from '../paging.ts'
import { versionMessage } from '../resources.ts'

const listOf = (parent: string): string => `${parent}/cryptoKeyVersions`

export const listCryptoKeyVersionsBinding = bind(KeyManagementService.method.listCryptoKeyVersions, {
  operation: listVersions,
  permission: 'cloudkms.cryptoKeyVersions.list',
  resource: ({ parent }) => parseKey('parent', parent),
  toInput: (request, ctx) => ({
    key: keyReference(parseKey('parent', request.parent)),
    ...readPaging(listOf(request.parent), request),
    ...readMatches(request, CryptoKeyVersionSchema, (view: VersionView) => versionMessage(view, ctx)),
  }),
  toOutput: ({ versions, ...view }, request, ctx) => ({
    cryptoKeyVersions: versions.map((version) => versionMessage({ ...view, version }, ctx)),
    ...pageEnd(listOf(request.parent), request, view),
  }),
})
