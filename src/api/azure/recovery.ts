/** What keys and secrets show alike: dates, and soft delete. */
import type { KeyRing } from '../../core/key.ts'
import { RECOVERABLE_DAYS } from '../../core/ring-settings.ts'
import { knows } from './api-version.ts'
import type { Shown } from './binding.ts'

export const seconds = (ms: number): number => Math.floor(ms / 1000)

/** Dates as a version has them, in ms. */
type Dated = {
  readonly notBefore?: number
  readonly expiresAt?: number
  readonly createdAt: number
  readonly updatedAt: number
}
export type Dates = { readonly nbf?: number; readonly exp?: number; readonly created: number; readonly updated: number }

export const datesOf = ({ notBefore, expiresAt, createdAt, updatedAt }: Dated): Dates => ({
  ...(notBefore !== undefined && { nbf: seconds(notBefore) }),
  ...(expiresAt !== undefined && { exp: seconds(expiresAt) }),
  created: seconds(createdAt),
  updated: seconds(updatedAt),
})

export type Deleted = {
  readonly recoveryId: string
  readonly deletedDate: number
  readonly scheduledPurgeDate: number
}

export const deletedOf = (
  recoveryId: string,
  { requestedAt, dueAt }: { readonly requestedAt: number; readonly dueAt: number },
): Deleted => ({ recoveryId, deletedDate: seconds(requestedAt), scheduledPurgeDate: seconds(dueAt) })

export type Recovery = { readonly recoveryLevel: string; readonly recoverableDays?: number }

/** `days`: of the object itself, which it got from its vault when it was made. */
export function recoveryOf({ apiVersion, purgeProtected }: Shown, ring: KeyRing, days: number): Recovery {
  const purgeable = purgeProtected(ring.name) ? '' : '+Purgeable'
  if (!knows(apiVersion, 'recoverableDays')) return { recoveryLevel: `Recoverable${purgeable}` }
  // A period that the vault's owner has shortened has levels of its own.
  const customized = days < RECOVERABLE_DAYS ? 'Customized' : ''
  return { recoveryLevel: `${customized}Recoverable${purgeable}`, recoverableDays: days }
}
