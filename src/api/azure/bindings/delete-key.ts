import { scheduleDeletion } from '../../../core/ops/schedule-deletion.ts'
import { bind } from '../binding.ts'
import { deletedBundle } from '../bundle.ts'
import { keyReference } from '../names.ts'

export const deleteKey = bind(scheduleDeletion)({
  wire: 'deleteKey',
  method: 'DELETE',
  paths: ['/keys/:name', '/keys/:name/'],
  toInput: ({ name }) => ({ key: keyReference(name) }),
  toOutput: (view, request) => deletedBundle(request, view),
})
