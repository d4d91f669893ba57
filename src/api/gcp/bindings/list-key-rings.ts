import type { KeyRing } from '../../../core/key.ts'
import { listRings } from '../../../core/ops/rings.ts'
import { bind } from '../binding.ts'
import { KeyRingSchema } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseLocation } from '../names.ts'
import { pageEnd, readMatches, readPaging } from '../paging.ts'
import { ringMessage } from '../resources.ts'

const listOf = (parent: string): string => `${parent}/keyRings`

export const listKeyRingsBinding = bind(KeyManagementService.method.listKeyRings, {
  operation: listRings,
  permission: 'cloudkms.keyRings.list',
  resource: ({ parent }) => parseLocation('parent', parent),
  toInput: (request, ctx) => ({
    ...readPaging(listOf(request.parent), request),
    ...readMatches(request, KeyRingSchema, (ring: KeyRing) => ringMessage(ring, ctx)),
  }),
  toOutput: ({ rings, ...page }, request, ctx) => ({
    keyRings: rings.map((ring) => ringMessage(ring, ctx)),
    ...pageEnd(listOf(request.parent), request, page),
  }),
})
