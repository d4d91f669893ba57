import { listRingKeys } from '../../../core/ops/list-keys.ts'
import { expressible } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseRing, ringReference } from '../names.ts'
import { readPaging, writeToken } from '../paging.ts'
import { keyMessage } from '../resources.ts'

const listOf = (parent: string): string => `${parent}/cryptoKeys`

export const listCryptoKeysBinding = bind(KeyManagementService.method.listCryptoKeys, {
  operation: listRingKeys,
  permission: 'cloudkms.cryptoKeys.list',
  resource: ({ parent }) => parseRing('parent', parent),
  toInput: (request) => ({
    ring: ringReference(parseRing('parent', request.parent)),
    include: expressible,
    ...readPaging(listOf(request.parent), request),
  }),
  toOutput: ({ keys, next, total }, { parent }, ctx) => ({
    cryptoKeys: keys.map((view) => keyMessage(view, ctx)),
    nextPageToken: writeToken(listOf(parent), next),
    totalSize: total,
  }),
})
