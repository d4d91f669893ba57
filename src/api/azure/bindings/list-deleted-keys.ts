import { listRingKeys } from '../../../core/ops/list-keys.ts'
import { bind } from '../binding.ts'
import { deletedItem, isShown } from '../bundle.ts'
import { listing } from '../paging.ts'

export const listDeletedKeys = bind(listRingKeys)({
  wire: 'getDeletedKeys',
  method: 'GET',
  paths: ['/deletedkeys', '/deletedkeys/'],
  toInput: ({ after, limit, apiVersion }) => ({
    ring: { by: 'default' },
    after,
    limit,
    include: (key) => key.state === 'pending_deletion' && isShown(key, apiVersion),
  }),
  toOutput: ({ keys, next }, request) =>
    listing(
      request,
      '/deletedkeys',
      keys.map((view) => deletedItem(request, view)),
      next,
    ),
})
