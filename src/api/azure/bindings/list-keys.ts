import { listRingKeys } from '../../../core/ops/list-keys.ts'
import { bind } from '../binding.ts'
import { isShown, keyItem } from '../bundle.ts'
import { listing } from '../paging.ts'

export const listKeys = bind(listRingKeys)({
  wire: 'getKeys',
  method: 'GET',
  paths: ['/keys', '/keys/'],
  toInput: ({ after, limit, apiVersion }) => ({
    ring: { by: 'default' },
    after,
    limit,
    include: (key) => key.state !== 'pending_deletion' && isShown(key, apiVersion),
  }),
  toOutput: ({ keys, next }, request) =>
    listing(
      request,
      '/keys',
      keys.map((view) => keyItem(request, view)),
      next,
    ),
})
