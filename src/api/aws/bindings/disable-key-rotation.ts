import { setRotation } from '../../../core/ops/set-rotation.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

export const disableKeyRotationBinding = bind({
  wire: 'DisableKeyRotation',
  operation: setRotation,
  toInput: (wire, ctx) => ({
    key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
    kind: 'symmetric' as const,
    enabledOnly: true,
  }),
  toOutput: () => ({}),
})
