import { getDeletedSecret as operation } from '../../../core/ops/get-deleted-secret.ts'
import { bind } from '../binding.ts'
import { deletedSecretBundle, secretReference } from '../secret-bundle.ts'

export const getDeletedSecret = bind(operation)({
  wire: 'getDeletedSecret',
  method: 'GET',
  paths: ['/deletedsecrets/:name'],
  toInput: ({ name }) => ({ secret: secretReference(name) }),
  toOutput: (view, request) => deletedSecretBundle(request, view),
})
