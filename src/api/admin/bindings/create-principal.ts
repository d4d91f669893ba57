import { Type } from '@sinclair/typebox'
import { createPrincipal } from '../../../core/ops/principals.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'
import { FACTS, NAME, nameOf, shown } from '../principals.ts'

export const createPrincipalCommand = command({
  wire: 'principal create',
  operation: createPrincipal,
  schema: Type.Object({ ...NAME, ...FACTS }, closed),
  toInput: ({ kind, account, name, ...facts }, ctx) => ({ ...facts, ...nameOf({ kind, account, name }, ctx) }),
  toOutput: shown,
})
