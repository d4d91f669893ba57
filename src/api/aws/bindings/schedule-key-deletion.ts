import { scheduleDeletion } from '../../../core/ops/schedule-deletion.ts'
import { validationError } from '../aws-error.ts'
import { arnOfKey, parseKeyIdOrArn, wireState } from '../names.ts'
import { seconds } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

const DAY = 86_400_000
const [MIN_DAYS, MAX_DAYS] = [7, 30]

const windowOf = (wire: { readonly PendingWindowInDays?: number | undefined }): number =>
  wire.PendingWindowInDays ?? MAX_DAYS

export const scheduleKeyDeletionBinding = bind({
  wire: 'ScheduleKeyDeletion',
  operation: scheduleDeletion,
  toInput(wire, ctx) {
    const days = windowOf(wire)
    // The model allows 1 to 365; the service keeps to what it documents.
    if (days < MIN_DAYS || days > MAX_DAYS) {
      throw validationError(`PendingWindowInDays must be between ${MIN_DAYS} and ${MAX_DAYS}`)
    }
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm), delay: days * DAY }
  },
  toOutput: ({ key }, wire, ctx) => ({
    KeyId: arnOfKey(ctx.realm, key),
    ...(key.deletion !== undefined && { DeletionDate: seconds(key.deletion.dueAt) }),
    KeyState: wireState(key.state),
    PendingWindowInDays: windowOf(wire),
  }),
})
