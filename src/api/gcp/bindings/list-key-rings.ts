import { listRings } from '../../../core/ops/rings.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseLocation } from '../names.ts'
import { readPaging, writeToken } from '../paging.ts'
import { ringMessage } from '../resources.ts'

const listOf = (parent: string): string => `${parent}/keyRings`

export const listKeyRingsBinding = bind(KeyManagementService.method.listKeyRings, {
  operation: listRings,
  permission: 'cloudkms.keyRings.list',
  resource: ({ parent }) => parseLocation('parent', parent),
  toInput: (request) => readPaging(listOf(request.parent), request),
  toOutput: ({ rings, next, total }, { parent }, ctx) => ({
    keyRings: rings.map((ring) => ringMessage(ring, ctx)),
    nextPageToken: writeToken(listOf(parent), next),
    totalSize: total,
  }),
})
