/** Soft delete as keys and secrets show it. */
import type { KeyRing } from '../../core/key.ts'
import { RECOVERABLE_DAYS } from '../../core/ring-settings.ts'
import { knows } from './api-version.ts'
import type { Shown } from './binding.ts'

type Recovery = { readonly recoveryLevel: string; readonly recoverableDays?: number }

/** `days`: of the object itself, which it got from its vault when it was made. */
export function recoveryOf({ apiVersion, purgeProtected }: Shown, ring: KeyRing, days: number): Recovery {
  const purgeable = purgeProtected(ring.name) ? '' : '+Purgeable'
  if (!knows(apiVersion, 'recoverableDays')) return { recoveryLevel: `Recoverable${purgeable}` }
  // A period that the vault's owner has shortened has levels of its own.
  const customized = days < RECOVERABLE_DAYS ? 'Customized' : ''
  return { recoveryLevel: `${customized}Recoverable${purgeable}`, recoverableDays: days }
}
