import { Type } from '@sinclair/typebox'
import { listRealmKeys, listRingKeys } from '../../../core/ops/list-keys.ts'
import { command } from '../binding.ts'
import { closed, Name, PAGE, paging, ringReference, shownKey } from '../names.ts'

export const listKeysCommand = command({
  wire: 'key list',
  inRealm: true,
  operation: listRealmKeys,
  schema: Type.Object(PAGE, closed),
  toInput: paging,
  toOutput: ({ keys, next }) => ({ keys: keys.map(shownKey), ...(next !== undefined && { next }) }),
})

export const listRingKeysCommand = command({
  wire: 'ring keys',
  inRealm: true,
  operation: listRingKeys,
  schema: Type.Object({ ring: Name, ...PAGE }, closed),
  toInput: ({ ring, ...page }) => ({ ...paging(page), ring: ringReference(ring) }),
  toOutput: ({ keys, next }) => ({ keys: keys.map(shownKey), ...(next !== undefined && { next }) }),
})
