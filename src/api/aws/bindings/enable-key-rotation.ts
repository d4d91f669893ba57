import { setRotation } from '../../../core/ops/set-rotation.ts'
import { days } from '../../../core/rotation.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

const DEFAULT_DAYS = 365

export const enableKeyRotationBinding = bind({
  wire: 'EnableKeyRotation',
  operation: setRotation,
  toInput: (wire, ctx) => ({
    key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
    kind: 'symmetric' as const,
    enabledOnly: true,
    policy: {
      rotate: { from: 'creation' as const, duration: days(wire.RotationPeriodInDays ?? DEFAULT_DAYS) },
      anchor: 'schedule' as const,
    },
  }),
  toOutput: () => ({}),
})
