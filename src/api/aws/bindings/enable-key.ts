import { enableKey } from '../../../core/ops/set-key-enabled.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

export const enableKeyBinding = bind({
  wire: 'EnableKey',
  operation: enableKey,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }),
  toOutput: () => ({}),
})
