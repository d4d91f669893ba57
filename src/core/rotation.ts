/** When a key gets its next version: one policy a key, whichever dialect set it (AWS rotation, Azure policy, GCP schedule). */
import type { Key, KeyVersion } from './key.ts'

/** Calendar months first, then ms: `P1Y` is 12 months, AWS's 365 days are ms. */
export type Duration = {
  readonly months: number
  readonly ms: number
  /** As its caller wrote it (ISO 8601), where he wants it back. */
  readonly text?: string
}

const DAY = 86_400_000
export const days = (count: number): Duration => ({ months: 0, ms: count * DAY })

/** `at` moved on by a duration; a day that the target month lacks becomes its last. `sign` -1 moves back. */
export function addDuration(at: number, { months, ms }: Duration, sign: 1 | -1 = 1): number {
  const date = new Date(at)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + sign * months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime() + sign * ms
}

/** Counted from a version's creation, or back from its expiry. */
export type Trigger = { readonly from: 'creation' | 'expiry'; readonly duration: Duration }

export type RotationPolicy = {
  /** Absent: nothing rotates by itself. */
  readonly rotate?: Trigger
  /** Azure's notice before a version expires. */
  readonly notify?: Trigger
  /** How long each new version stays valid (Azure's expiryTime); absent: without end. */
  readonly lifetime?: Duration
  /**
   * `schedule`: each date follows from the one before, whatever else makes versions (AWS, GCP). `version`: it follows
   * from the current version's own dates (Azure).
   */
  readonly anchor: 'schedule' | 'version'
  readonly createdAt: number
  readonly updatedAt: number
}

/** When `rotate` wants the successor of a version; undefined where it counts from an expiry that there is not. */
export function rotationDate(policy: RotationPolicy, version: Pick<KeyVersion, 'createdAt' | 'expiresAt'>) {
  const { rotate } = policy
  if (rotate === undefined) return undefined
  if (rotate.from === 'creation') return addDuration(version.createdAt, rotate.duration)
  return version.expiresAt === undefined ? undefined : addDuration(version.expiresAt, rotate.duration, -1)
}

/** The first date of the schedule after `now`; dates that were slept through are not made up for. */
function nextOfSchedule(from: number, duration: Duration, now: number): number {
  let next = addDuration(from, duration)
  while (next <= now) next = addDuration(next, duration)
  return next
}

/** The key's next rotation once `version` has become its current one. `scheduled`: the clock made it. */
export function nextRotation(key: Key, version: KeyVersion, scheduled: boolean, now: number): number | undefined {
  const policy = key.rotation
  if (policy === undefined) return scheduled ? undefined : key.nextRotationAt
  if (policy.anchor === 'version') return rotationDate(policy, version)
  if (!scheduled || key.nextRotationAt === undefined || policy.rotate === undefined) return key.nextRotationAt
  return nextOfSchedule(key.nextRotationAt, policy.rotate.duration, now)
}

/** A rotation by the calendar alone (GCP): at `nextAt`, and every `period` ms from then on; once without a period. */
export type Schedule = { readonly period?: number | undefined; readonly nextAt?: number | undefined }

/** The schedule that a key has; of a policy in other terms, its next date. */
export function scheduleOf({ rotation, nextRotationAt: nextAt }: Pick<Key, 'rotation' | 'nextRotationAt'>): Schedule {
  const rotate = rotation?.rotate
  const period = rotate?.from === 'creation' && rotate.duration.months === 0 ? rotate.duration.ms : undefined
  return { period, nextAt }
}

/** A key's fields for a schedule. */
export function scheduled({ period, nextAt }: Schedule, now: number): Pick<Key, 'rotation' | 'nextRotationAt'> {
  const rotate = period === undefined ? undefined : ({ from: 'creation', duration: { months: 0, ms: period } } as const)
  return {
    ...(rotate && { rotation: { rotate, anchor: 'schedule', createdAt: now, updatedAt: now } }),
    ...(nextAt !== undefined && { nextRotationAt: nextAt }),
  }
}
