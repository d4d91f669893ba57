import { getKeyRotation } from '../../../core/ops/get-key.ts'
import { bind } from '../binding.ts'
import { keyReference } from '../names.ts'
import { rotationPolicy } from '../rotation-policy.ts'

export const getRotationPolicy = bind(getKeyRotation)({
  wire: 'getKeyRotationPolicy',
  method: 'GET',
  paths: ['/keys/:name/rotationpolicy'],
  feature: 'rotation',
  toInput: ({ name }) => ({ key: keyReference(name), expect: 'live' }),
  toOutput: ({ key }, request) => rotationPolicy(request, key),
})
