import { rotateKey } from '../../../core/ops/rotate-key.ts'
import { awsKeyId, parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

/** AWS's quota for the life of a key. */
const MAX_ON_DEMAND = 25
/** A rotation that the clock is about to make comes first, as AWS documents. */
const DISTANCE_MS = 20 * 60_000

export const rotateKeyOnDemandBinding = bind({
  wire: 'RotateKeyOnDemand',
  operation: rotateKey,
  toInput: (wire, ctx) => ({
    key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
    kind: 'symmetric' as const,
    enabledOnly: true,
    limit: MAX_ON_DEMAND,
    distance: DISTANCE_MS,
    toPending: true,
  }),
  toOutput: ({ key }) => ({ KeyId: awsKeyId(key) }),
})
