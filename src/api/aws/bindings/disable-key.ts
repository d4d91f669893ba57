import { disableKey } from '../../../core/ops/set-key-enabled.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

export const disableKeyBinding = bind({
  wire: 'DisableKey',
  operation: disableKey,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }),
  toOutput: () => ({}),
})
