import { cancelDeletion } from '../../../core/ops/cancel-deletion.ts'
import { arnOfKey, parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

export const cancelKeyDeletionBinding = bind({
  wire: 'CancelKeyDeletion',
  operation: cancelDeletion,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm), restore: 'disabled' as const }),
  toOutput: ({ key }, _wire, ctx) => ({ KeyId: arnOfKey(ctx.realm, key) }),
})
