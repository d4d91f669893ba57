import { restoreSecret as operation } from '../../../core/ops/restore-secret.ts'
import { bindBody } from '../binding.ts'
import { bytesOf } from '../schemas.ts'
import { secretBundle } from '../secret-bundle.ts'
import { RestoreSecretBody } from '../secret-input.ts'

export const restoreSecret = bindBody(
  operation,
  RestoreSecretBody,
)({
  wire: 'restoreSecret',
  method: 'POST',
  // .NET doubles the slash.
  paths: ['/secrets/restore', '/secrets//restore'],
  // As much as 500 versions of the greatest length come to.
  bodyLimit: 32 * 1024 * 1024,
  toInput: ({ body }) => ({ ring: { by: 'default' }, blob: bytesOf('value', body.value) }),
  toOutput: (view, request) => secretBundle(request, view),
})
