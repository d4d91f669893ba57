import { listRingKeys } from '../../../core/ops/list-keys.ts'
import type { KeyView } from '../../../core/view.ts'
import { expressible } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { CryptoKeySchema } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseRing, ringReference } from '../names.ts'
import { pageEnd, readMatches, readPaging } from '../paging.ts'
import { keyMessage } from '../resources.ts'

const listOf = (parent: string): string => `${parent}/cryptoKeys`

export const listCryptoKeysBinding = bind(KeyManagementService.method.listCryptoKeys, {
  operation: listRingKeys,
  permission: 'cloudkms.cryptoKeys.list',
  resource: ({ parent }) => parseRing('parent', parent),
  toInput: (request, ctx) => ({
    ring: ringReference(parseRing('parent', request.parent)),
    include: expressible,
    ...readPaging(listOf(request.parent), request),
    ...readMatches(request, CryptoKeySchema, (view: KeyView) => keyMessage(view, ctx)),
  }),
  toOutput: ({ keys, ...page }, request, ctx) => ({
    cryptoKeys: keys.map((view) => keyMessage(view, ctx)),
    ...pageEnd(listOf(request.parent), request, page),
  }),
})
