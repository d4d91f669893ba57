import { createRing } from '../../../core/ops/rings.ts'
import { bind } from '../binding.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { checkId, parseLocation } from '../names.ts'
import { ringMessage } from '../resources.ts'

export const createKeyRingBinding = bind(KeyManagementService.method.createKeyRing, {
  operation: createRing,
  permission: 'cloudkms.keyRings.create',
  resource: ({ parent, keyRingId }) => ({
    ...parseLocation('parent', parent),
    ring: checkId('key_ring_id', keyRingId),
  }),
  // In production a ring belongs to the dialect that made it; sharing one is the operator's decision.
  toInput: ({ keyRingId }, { settings }) => ({ name: keyRingId, shared: settings.profile === 'dev' }),
  toOutput: ({ ring }, _request, ctx) => ringMessage(ring, ctx),
})
