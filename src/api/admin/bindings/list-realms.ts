import { Type } from '@sinclair/typebox'
import { listRealms } from '../../../core/ops/realms.ts'
import { command } from '../binding.ts'
import { closed, PAGE, paging, shownRealm } from '../names.ts'

export const listRealmsCommand = command({
  wire: 'realm list',
  operation: listRealms,
  schema: Type.Object(PAGE, closed),
  toInput: paging,
  toOutput: ({ realms, next }) => ({ realms: realms.map(shownRealm), ...(next !== undefined && { next }) }),
})
