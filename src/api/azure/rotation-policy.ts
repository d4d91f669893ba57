/** Rotation policies: ISO 8601 durations, and the rules of Key Vault for them. */
import type { Static } from '@sinclair/typebox'
import { invalidArgument } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import { addDuration, type Duration, days, type RotationPolicy, type Trigger } from '../../core/rotation.ts'
import type { Shown } from './binding.ts'
import { keyUrl } from './names.ts'
import type { RotationPolicyBody } from './schemas.ts'

type Body = Static<typeof RotationPolicyBody>
type Action = NonNullable<Body['lifetimeActions']>[number]
/** Whether it is a Managed HSM's policy. */
type Kind = Pick<Shown, 'managedHsm'>
type ActionType = 'Rotate' | 'Notify'

const HOUR = 3_600_000
const DURATION =
  /^P(?=[0-9T])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?(?:T(?=[0-9])(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})S)?)?$/
/** The service's own bounds. */
const MIN_EXPIRY = days(28)
const minInterval = ({ managedHsm }: Kind): Duration => days(managedHsm ? 28 : 7)
const MAX_MONTHS = 12 * 100

/** @throws KmsError invalid_argument */
function parseDuration(field: string, text: string): Duration {
  const parts = DURATION.exec(text)
  if (parts === null) throw invalidArgument(field, 'not an ISO 8601 duration')
  const [years = 0, months = 0, weeks = 0, dayCount = 0, hours = 0, minutes = 0, seconds = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0))
  const duration: Duration = {
    months: years * 12 + months,
    ms: (weeks * 7 + dayCount) * 24 * HOUR + hours * HOUR + minutes * 60_000 + seconds * 1000,
    text,
  }
  if (span(duration) > span({ months: MAX_MONTHS, ms: 0 })) throw invalidArgument(field, 'longer than 100 years')
  return duration
}

/** Ms of a duration counted from an arbitrary but fixed date: for comparisons. */
const span = (duration: Duration): number => addDuration(0, duration)

const inDays = (duration: Duration): number => span(duration) / (24 * HOUR)

function requireLeast(field: string, duration: Duration, least: Duration): void {
  if (span(duration) < span(least)) throw invalidArgument(field, `must be at least ${inDays(least)} days`)
}

const typeOf = ({ action }: Action): ActionType => {
  const known = (['Rotate', 'Notify'] as const).find((type) => type.toLowerCase() === action.type.toLowerCase())
  if (known === undefined) throw invalidArgument('lifetimeActions.action.type', 'must be Rotate or Notify')
  return known
}

function only(actions: readonly Action[], type: ActionType): Action | undefined {
  const [first, second] = actions.filter((action) => typeOf(action) === type)
  if (second !== undefined) throw invalidArgument('lifetimeActions', `has more than one ${type} action`)
  return first
}

function triggerOf({ trigger }: Action, lifetime: Duration | undefined, interval: Duration): Trigger {
  const { timeAfterCreate: after, timeBeforeExpiry: before } = trigger
  const field = after === undefined ? 'timeBeforeExpiry' : 'timeAfterCreate'
  const text = after ?? before
  if (text === undefined || (after !== undefined && before !== undefined)) {
    throw invalidArgument('lifetimeActions.trigger', 'must have one of timeAfterCreate and timeBeforeExpiry')
  }
  const duration = parseDuration(field, text)
  if (after === undefined && lifetime === undefined) throw invalidArgument(field, 'requires expiryTime')
  requireLeast(field, duration, interval)
  if (lifetime !== undefined && span(duration) > span(lifetime) - span(interval)) {
    throw invalidArgument(field, `must be at least ${inDays(interval)} days shorter than expiryTime`)
  }
  return { from: after === undefined ? 'expiry' : 'creation', duration }
}

function notifyTrigger({ trigger }: Action, { managedHsm }: Kind): Trigger {
  if (managedHsm) throw invalidArgument('lifetimeActions.action.type', 'must be Rotate on a Managed HSM')
  const { timeAfterCreate, timeBeforeExpiry } = trigger
  if (timeBeforeExpiry === undefined || timeAfterCreate !== undefined) {
    throw invalidArgument('lifetimeActions.trigger', 'Notify takes timeBeforeExpiry only')
  }
  const duration = parseDuration('timeBeforeExpiry', timeBeforeExpiry)
  requireLeast('timeBeforeExpiry', duration, minInterval({ managedHsm }))
  return { from: 'expiry', duration }
}

/** Undefined for a blank policy, which takes the key's away. @throws KmsError invalid_argument */
export function parseRotationPolicy(
  { lifetimeActions = [], attributes }: Body,
  vault: Kind,
): Omit<RotationPolicy, 'createdAt' | 'updatedAt'> | undefined {
  const text = attributes?.expiryTime
  const lifetime = text === undefined || text === '' ? undefined : parseDuration('expiryTime', text)
  if (lifetime !== undefined) requireLeast('expiryTime', lifetime, MIN_EXPIRY)
  const rotate = only(lifetimeActions, 'Rotate')
  const notify = only(lifetimeActions, 'Notify')
  if (rotate === undefined && notify === undefined && lifetime === undefined) return undefined
  return {
    ...(rotate && { rotate: triggerOf(rotate, lifetime, minInterval(vault)) }),
    ...(notify && { notify: notifyTrigger(notify, vault) }),
    ...(lifetime && { lifetime }),
    anchor: 'version',
  }
}

/** As it was written; else in months and days, which is what the other dialects count in. */
function durationText({ text, months, ms }: Duration): string {
  if (text !== undefined) return text
  const seconds = Math.floor(ms / 1000)
  const [whole, rest] = [Math.floor(seconds / 86_400), seconds % 86_400]
  return `P${months === 0 ? '' : `${months}M`}${whole === 0 && (months > 0 || rest > 0) ? '' : `${whole}D`}${rest === 0 ? '' : `T${rest}S`}`
}

const actionOf = (type: ActionType, { from, duration }: Trigger) => ({
  trigger: { [from === 'creation' ? 'timeAfterCreate' : 'timeBeforeExpiry']: durationText(duration) },
  action: { type },
})

/** What a key without a policy of its own is answered with; a Managed HSM notifies nobody. */
const DEFAULT_NOTIFY: Trigger = { from: 'expiry', duration: { ...days(30), text: 'P30D' } }

export function rotationPolicy({ base, managedHsm }: Shown, key: Key) {
  const { rotation } = key
  const id = `${keyUrl(base, key)}/rotationpolicy`
  if (rotation === undefined) {
    return { id, lifetimeActions: managedHsm ? [] : [actionOf('Notify', DEFAULT_NOTIFY)], attributes: {} }
  }
  const { rotate, notify, lifetime, createdAt, updatedAt } = rotation
  return {
    id,
    lifetimeActions: [...(rotate ? [actionOf('Rotate', rotate)] : []), ...(notify ? [actionOf('Notify', notify)] : [])],
    attributes: {
      ...(lifetime && { expiryTime: durationText(lifetime) }),
      created: Math.floor(createdAt / 1000),
      updated: Math.floor(updatedAt / 1000),
    },
  }
}
