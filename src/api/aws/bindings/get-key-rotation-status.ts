import type { Key } from '../../../core/key.ts'
import { getKeyRotation } from '../../../core/ops/get-key.ts'
import { addDuration } from '../../../core/rotation.ts'
import type { GetKeyRotationStatusResponse } from '../gen/types.ts'
import { awsKeyId, parseKeyIdOrArn } from '../names.ts'
import { seconds } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

const DAY = 86_400_000

/** A period that another dialect set need not be whole days. */
function periodOf({ rotation, nextRotationAt: next }: Key): number | undefined {
  if (next === undefined || rotation?.rotate?.from !== 'creation') return undefined
  return Math.max(1, Math.round((next - addDuration(next, rotation.rotate.duration, -1)) / DAY))
}

/** Asymmetric keys and MAC keys have a status too: it is always false. So has a key that waits for its deletion. */
function statusOf(key: Key): GetKeyRotationStatusResponse {
  const deleted = key.state === 'pending_deletion' || key.state === 'pending_replica_deletion'
  if (key.nextRotationAt === undefined || deleted) return { KeyRotationEnabled: false }
  const period = periodOf(key)
  return {
    KeyRotationEnabled: true,
    ...(period !== undefined && { RotationPeriodInDays: period }),
    NextRotationDate: seconds(key.nextRotationAt),
  }
}

export const getKeyRotationStatusBinding = bind({
  wire: 'GetKeyRotationStatus',
  operation: getKeyRotation,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }),
  toOutput: ({ key }) => ({ KeyId: awsKeyId(key), ...statusOf(key) }),
})
