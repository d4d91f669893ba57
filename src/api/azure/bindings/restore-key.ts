import { restoreKey as operation } from '../../../core/ops/restore-key.ts'
import { bindBody } from '../binding.ts'
import { wholeBundle } from '../bundle.ts'
import { bytesOf, MAX_BACKUP_BYTES, RestoreBody } from '../schemas.ts'

export const restoreKey = bindBody(
  operation,
  RestoreBody,
)({
  wire: 'restoreKey',
  method: 'POST',
  paths: ['/keys/restore', '/keys//restore'],
  bodyLimit: MAX_BACKUP_BYTES,
  toInput: ({ body }) => ({ ring: { by: 'default' }, blob: bytesOf('value', body.value) }),
  toOutput: (view, request) => wholeBundle(request, view),
})
