import { deleteSecret as operation } from '../../../core/ops/delete-secret.ts'
import { bind } from '../binding.ts'
import { deletedSecretBundle, secretReference } from '../secret-bundle.ts'

export const deleteSecret = bind(operation)({
  wire: 'deleteSecret',
  method: 'DELETE',
  paths: ['/secrets/:name', '/secrets/:name/'],
  toInput: ({ name }) => ({ secret: secretReference(name) }),
  toOutput: (view, request) => deletedSecretBundle(request, view),
})
