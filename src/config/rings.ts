/** Key rings that the configuration sets apart from the defaults. */
import { Problem } from '../core/problem.ts'
import { RECOVERABLE_DAYS, type RingSettings } from '../core/ring-settings.ts'
import type { Settings } from './schema.ts'

export type RingConfig = RingSettings & {
  readonly name: string
  /** `pkcs11:<hsm name>`, which makes the ring's keys of protection level HSM; absent: the first that fits. */
  readonly hsmBackend?: string
  /** Whether Azure's clients find a Managed HSM there instead of a vault. */
  readonly managedHsm: boolean
}

/** @throws Problem */
export function resolveRings({ keyRings = [] }: Settings, hsms: readonly string[]): readonly RingConfig[] {
  const taken = new Set<string>()
  return keyRings.map(({ name, hsm, softDeleteDays, purgeProtection, managedHsm }, index) => {
    if (taken.has(name)) throw new Problem(`two keyRings entries are named ${name}`, 'remove one of them')
    taken.add(name)
    if (hsm !== undefined && !hsms.includes(hsm)) {
      throw new Problem(
        `keyRings[${index}].hsm (${hsm}) is not the name of an hsm entry`,
        `set it to one of: ${hsms.join(', ') || '(there is no hsm entry yet)'}`,
      )
    }
    return {
      name,
      recoverableDays: softDeleteDays ?? RECOVERABLE_DAYS,
      purgeProtected: purgeProtection ?? false,
      managedHsm: managedHsm ?? false,
      ...(hsm === undefined ? {} : { hsmBackend: `pkcs11:${hsm}` }),
    }
  })
}

/** The backends of those that name one, by the ring's name. */
export const ringBackends = (rings: readonly RingConfig[]): Readonly<Record<string, string>> =>
  Object.fromEntries(rings.flatMap(({ name, hsmBackend }) => (hsmBackend === undefined ? [] : [[name, hsmBackend]])))
