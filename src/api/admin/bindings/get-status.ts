import { Type } from '@sinclair/typebox'
import { getStatus } from '../../../core/ops/status.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'

export const statusCommand = command({
  wire: 'status',
  operation: getStatus,
  schema: Type.Object({}, closed),
  toInput: () => ({}),
  toOutput: async (counts, ctx) => ({ ...(await ctx.status()), counts }),
})
