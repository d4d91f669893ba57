import { setDescription } from '../../../core/ops/key-facts.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

export const updateKeyDescriptionBinding = bind({
  wire: 'UpdateKeyDescription',
  operation: setDescription,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm), description: wire.Description }),
  toOutput: () => ({}),
})
