import { Type } from '@sinclair/typebox'
import { invalidArgument } from '../../../core/error.ts'
import { seal, unseal } from '../../../core/ops/seal.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'

export const sealCommand = command({
  wire: 'seal',
  operation: seal,
  schema: Type.Object({}, closed),
  toInput(_body, ctx) {
    if (ctx.seal === undefined) throw invalidArgument('seal', 'no server runs here: there is nothing to seal')
    return {}
  },
  toOutput(_output, ctx) {
    ctx.seal?.()
    return { state: 'sealed' }
  },
})

/** Of a server that is open already, and the record of one that was opened; a sealed one answers it itself. */
export const unsealCommand = command({
  wire: 'unseal',
  operation: unseal,
  schema: Type.Object({ secret: Type.Optional(Type.String({ maxLength: 4096 })) }, closed),
  toInput: () => ({}),
  toOutput: () => ({ state: 'ready' }),
})
