import { purgeSecret as operation } from '../../../core/ops/purge-secret.ts'
import { bind } from '../binding.ts'
import { secretReference } from '../secret-bundle.ts'

export const purgeSecret = bind(operation)({
  wire: 'purgeDeletedSecret',
  method: 'DELETE',
  paths: ['/deletedsecrets/:name', '/deletedsecrets/:name/'],
  status: 204,
  toInput: ({ name }) => ({ secret: secretReference(name) }),
  toOutput: () => undefined,
})
