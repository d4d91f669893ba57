import { Type } from '@sinclair/typebox'
import { reloadSettings } from '../../../core/ops/reload.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'

export const reloadCommand = command({
  wire: 'reload',
  operation: reloadSettings,
  schema: Type.Object({}, closed),
  toInput: (_body, ctx) => ({ reload: ctx.reload }),
  toOutput: (reloaded) => reloaded,
})
