import { cancelDeletion } from '../../../core/ops/cancel-deletion.ts'
import { bind } from '../binding.ts'
import { wholeBundle } from '../bundle.ts'
import { keyReference } from '../names.ts'

export const recoverKey = bind(cancelDeletion)({
  wire: 'recoverDeletedKey',
  method: 'POST',
  paths: ['/deletedkeys/:name/recover'],
  toInput: ({ name }) => ({ key: keyReference(name), restore: 'previous' }),
  toOutput: (view, request) => wholeBundle(request, view),
})
