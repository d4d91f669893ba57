import { getDeletion } from '../../../core/ops/get-deletion.ts'
import { bind } from '../binding.ts'
import { Operations } from '../gen/google/longrunning/operations_pb.js'
import { parseOperation } from '../names.ts'
import { deletionMessage, deletionOf } from '../operations.ts'

export const getOperationBinding = bind(Operations.method.getOperation, {
  operation: getDeletion,
  permission: 'cloudkms.operations.get',
  resource: ({ name }) => parseOperation('name', name),
  toInput: ({ name }) => deletionOf(parseOperation('name', name)),
  toOutput: (deletion, _request, ctx) => deletionMessage(deletion, ctx),
})
