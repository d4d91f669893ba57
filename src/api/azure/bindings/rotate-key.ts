import { rotateKey as operation } from '../../../core/ops/rotate-key.ts'
import { bind } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { keyReference } from '../names.ts'

export const rotateKey = bind(operation)({
  wire: 'rotateKey',
  method: 'POST',
  paths: ['/keys/:name/rotate'],
  feature: 'rotation',
  toInput: ({ name, managedHsm }) => ({
    key: keyReference(name),
    kind: 'any',
    // A Managed HSM's own rules.
    ...(managedHsm && { policyOnly: true, versionLimit: 100 }),
  }),
  toOutput: (view, request) => keyBundle(request, view, view.version),
})
