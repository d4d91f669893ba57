import { setRotation } from '../../../core/ops/set-rotation.ts'
import { bindBody } from '../binding.ts'
import { keyReference } from '../names.ts'
import { parseRotationPolicy, rotationPolicy } from '../rotation-policy.ts'
import { RotationPolicyBody } from '../schemas.ts'

export const updateRotationPolicy = bindBody(
  setRotation,
  RotationPolicyBody,
)({
  wire: 'updateKeyRotationPolicy',
  method: 'PUT',
  paths: ['/keys/:name/rotationpolicy'],
  feature: 'rotation',
  toInput: ({ name, body, managedHsm }) => ({
    key: keyReference(name),
    kind: 'any',
    policy: parseRotationPolicy(body, { managedHsm }),
  }),
  toOutput: ({ key }, request) => rotationPolicy(request, key),
})
