import { rotateKey as operation } from '../../../core/ops/rotate-key.ts'
import { bind } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { keyReference } from '../names.ts'

export const rotateKey = bind(operation)({
  wire: 'rotateKey',
  method: 'POST',
  paths: ['/keys/:name/rotate'],
  toInput: ({ name }) => ({ key: keyReference(name), kind: 'any' }),
  toOutput: ({ key, version }, { base }) => keyBundle(base, key, version),
})
