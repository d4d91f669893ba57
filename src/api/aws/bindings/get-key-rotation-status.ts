import { getKeyRotation } from '../../../core/ops/get-key.ts'
import { keyArn, parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

/** Keys have no rotation period here, and no operation sets one: false is the whole truth. */
export const getKeyRotationStatusBinding = bind({
  wire: 'GetKeyRotationStatus',
  operation: getKeyRotation,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }),
  toOutput: ({ key }, _wire, ctx) => ({ KeyRotationEnabled: false, KeyId: keyArn(ctx.realm, key.id) }),
})
