import { getRing } from '../../../core/ops/rings.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseRing, ringReference } from '../names.ts'
import { ringMessage } from '../resources.ts'

export const getKeyRingBinding = bind(KeyManagementService.method.getKeyRing, {
  operation: getRing,
  permission: 'cloudkms.keyRings.get',
  resource: ({ name }) => parseRing('name', name),
  toInput: ({ name }) => ({ ring: ringReference(parseRing('name', name)) }),
  toOutput: ({ ring }, _request, ctx) => ringMessage(ring, ctx),
})
