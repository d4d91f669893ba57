import { Type } from '@sinclair/typebox'
import { listRings } from '../../../core/ops/rings.ts'
import { command } from '../binding.ts'
import { closed, PAGE, paging, shownRing } from '../names.ts'

export const listRingsCommand = command({
  wire: 'ring list',
  inRealm: true,
  operation: listRings,
  schema: Type.Object(PAGE, closed),
  toInput: paging,
  toOutput: ({ rings, next }) => ({ rings: rings.map(shownRing), ...(next !== undefined && { next }) }),
})
