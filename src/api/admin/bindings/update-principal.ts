import { Type } from '@sinclair/typebox'
import { updatePrincipal } from '../../../core/ops/principals.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'
import { FACTS, NAME, nameOf, shown, Text } from '../principals.ts'

export const updatePrincipalCommand = command({
  wire: 'principal update',
  operation: updatePrincipal,
  /** `null` takes a boundary away. */
  schema: Type.Object({ ...NAME, ...FACTS, boundary: Type.Optional(Type.Union([Text, Type.Null()])) }, closed),
  toInput: ({ kind, account, name, ...change }, ctx) => ({ ...change, ...nameOf({ kind, account, name }, ctx) }),
  toOutput: shown,
})
