import { listSecrets as operation } from '../../../core/ops/list-secrets.ts'
import { bind } from '../binding.ts'
import { listing } from '../paging.ts'
import { deletedSecretItem } from '../secret-bundle.ts'

export const listDeletedSecrets = bind(operation)({
  wire: 'getDeletedSecrets',
  method: 'GET',
  paths: ['/deletedsecrets', '/deletedsecrets/'],
  toInput: ({ after, limit }) => ({ ring: { by: 'default' }, after, limit, deleted: true }),
  toOutput: ({ secrets, next }, request) =>
    listing(
      request,
      '/deletedsecrets',
      secrets.map((view) => deletedSecretItem(request, view)),
      next,
    ),
})
