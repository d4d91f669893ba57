import { listSecrets as operation } from '../../../core/ops/list-secrets.ts'
import { bind } from '../binding.ts'
import { listing } from '../paging.ts'
import { secretItem } from '../secret-bundle.ts'

export const listSecrets = bind(operation)({
  wire: 'getSecrets',
  method: 'GET',
  paths: ['/secrets', '/secrets/'],
  toInput: ({ after, limit }) => ({ ring: { by: 'default' }, after, limit, deleted: false }),
  toOutput: ({ secrets, next }, request) =>
    listing(
      request,
      '/secrets',
      secrets.map((view) => secretItem(request, view)),
      next,
    ),
})
