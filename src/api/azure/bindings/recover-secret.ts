import { recoverSecret as operation } from '../../../core/ops/recover-secret.ts'
import { bind } from '../binding.ts'
import { secretBundle, secretReference } from '../secret-bundle.ts'

export const recoverSecret = bind(operation)({
  wire: 'recoverDeletedSecret',
  method: 'POST',
  paths: ['/deletedsecrets/:name/recover'],
  toInput: ({ name }) => ({ secret: secretReference(name) }),
  toOutput: (view, request) => secretBundle(request, view),
})
