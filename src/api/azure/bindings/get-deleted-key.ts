import { getKey } from '../../../core/ops/get-key.ts'
import { bind } from '../binding.ts'
import { deletedBundle } from '../bundle.ts'
import { keyReference } from '../names.ts'

export const getDeletedKey = bind(getKey)({
  wire: 'getDeletedKey',
  method: 'GET',
  paths: ['/deletedkeys/:name'],
  toInput: ({ name }) => ({ key: keyReference(name), expect: 'deleted' }),
  toOutput: (view, request) => deletedBundle(request, view),
})
