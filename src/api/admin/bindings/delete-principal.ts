import { Type } from '@sinclair/typebox'
import { deletePrincipal } from '../../../core/ops/principals.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'
import { NAME, nameOf, shown } from '../principals.ts'

export const deletePrincipalCommand = command({
  wire: 'principal delete',
  operation: deletePrincipal,
  schema: Type.Object(NAME, closed),
  toInput: nameOf,
  toOutput: shown,
})
