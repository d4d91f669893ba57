/** Rotation schedules of CryptoKeys. */
import {
  type Duration,
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
  timestampMs,
} from '@bufbuild/protobuf/wkt'
import type { Key } from '../../core/key.ts'
import { type Schedule, scheduleOf } from '../../core/rotation.ts'
import { GcpPurpose, purposeOf } from './algorithms.ts'
import type { CryptoKey } from './gen/google/cloud/kms/v1/resources_pb.js'
import { badField } from './status.ts'

const HOUR = 3_600_000
const MIN_PERIOD = 24 * HOUR
const MAX_PERIOD = 876_000 * HOUR

/** @throws RpcError INVALID_ARGUMENT, in Google's words as they were seen */
export function readPeriod({ rotationSchedule }: Pick<CryptoKey, 'rotationSchedule'>): number | undefined {
  if (rotationSchedule.case === undefined) return undefined
  const period = durationMs(rotationSchedule.value)
  if (period >= MIN_PERIOD && period <= MAX_PERIOD) return Math.round(period)
  throw badField('crypto_key.rotation_period', 'Invalid rotation period.')
}

/** @throws RpcError INVALID_ARGUMENT for a time that has come */
export function readNextRotation(time: Timestamp | undefined, now: number): number | undefined {
  if (time === undefined) return undefined
  const at = timestampMs(time)
  if (at > now) return at
  throw badField('crypto_key.next_rotation_time', 'The next_rotation_time must be in the future.')
}

/** The schedule that a new key asks for. @throws RpcError INVALID_ARGUMENT */
export function readSchedule(key: CryptoKey, now: number): Schedule | undefined {
  const period = readPeriod(key)
  const nextAt = readNextRotation(key.nextRotationTime, now)
  if (period === undefined && nextAt === undefined) return undefined
  if (key.purpose !== GcpPurpose.ENCRYPT_DECRYPT) {
    const field = period === undefined ? 'next_rotation_time' : 'rotation_period'
    throw badField(`crypto_key.${field}`, 'Only a CryptoKey with purpose ENCRYPT_DECRYPT can have a rotation schedule.')
  }
  if (nextAt === undefined) {
    throw badField('crypto_key.next_rotation_time', 'next_rotation_time is required if rotation_schedule is set.')
  }
  return { period, nextAt }
}

type ScheduleFields = {
  nextRotationTime?: Timestamp
  rotationSchedule?: { case: 'rotationPeriod'; value: Duration }
}

/** What Google's clients see of a key's rotation: only keys for encryption have any. */
export function scheduleFields(key: Key): ScheduleFields {
  if (purposeOf(key) !== GcpPurpose.ENCRYPT_DECRYPT) return {}
  const { period, nextAt } = scheduleOf(key)
  return {
    ...(nextAt !== undefined && { nextRotationTime: timestampFromMs(nextAt) }),
    ...(period !== undefined && { rotationSchedule: { case: 'rotationPeriod', value: durationFromMs(period) } }),
  }
}
