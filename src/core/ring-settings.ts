/** What the operator has set for a ring, beside what the ring's row says. */
import type { KeyRing } from './key.ts'

/** Azure's default days of soft delete. */
export const RECOVERABLE_DAYS = 90

export type RingSettings = {
  /** Days that a key or secret made in the ring stays recoverable once it is deleted. */
  readonly recoverableDays: number
  /** Nothing that is deleted goes before its days are over, whoever asks. */
  readonly purgeProtected: boolean
}

const DEFAULTS: RingSettings = { recoverableDays: RECOVERABLE_DAYS, purgeProtected: false }

export type RingSettingsOf = (ring: Pick<KeyRing, 'name'>) => RingSettings

export function ringSettingsOf(rings: readonly (RingSettings & { readonly name: string })[]): RingSettingsOf {
  const byName = new Map(rings.map((ring) => [ring.name, ring]))
  return ({ name }) => byName.get(name) ?? DEFAULTS
}

const DAY = 86_400_000

/** The least time, in ms, that a deletion in the ring waits; `recoverableDays`: of what is deleted. */
export const leastWait = ({ purgeProtected }: RingSettings, recoverableDays: number): number =>
  purgeProtected ? recoverableDays * DAY : 0
