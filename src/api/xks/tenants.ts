/** The exposures as requests meet them: one for each path, with what is kept between its requests. */
import type { XksExposed, XksKey, XksUsage } from '../../config/exposures/xks.ts'
import { NO_ACTIONS } from '../../core/exposed.ts'
import type { Clock } from '../../core/ports.ts'
import { Gate, rateLimit } from '../http/gate.ts'
import type { SignatureVerifier } from '../sigv4/verify.ts'
import { Credentials } from './auth.ts'
import { Rules } from './rules.ts'

export type TenantKey = XksKey & { readonly actions: ReadonlySet<string> }
export type Tenant = {
  readonly exposure: XksExposed
  readonly credentials: Credentials
  readonly rules: Rules
  readonly gate: Gate
  /** @throws KmsError throttled */
  count(): void
  readonly keys: ReadonlyMap<string, TenantKey>
}

const actionsOf = (usage: readonly XksUsage[]): ReadonlySet<string> => new Set(['get-key', ...usage])
export const actionsOn = (key: TenantKey | undefined): ReadonlySet<string> => key?.actions ?? NO_ACTIONS

export type Shared = { readonly clock: Clock; readonly verifier: SignatureVerifier }

function tenantOf(exposure: XksExposed, { clock, verifier }: Shared): Tenant {
  return {
    exposure,
    credentials: new Credentials(exposure, verifier),
    rules: new Rules(exposure.rules),
    gate: new Gate(exposure.deadlineMs),
    count: rateLimit(exposure.quota?.perSecond, clock),
    keys: new Map(exposure.keys.map((key) => [key.id, { ...key, actions: actionsOf(key.usage) }])),
  }
}

/** By path. */
export const tenantsOf = (exposures: readonly XksExposed[], shared: Shared): ReadonlyMap<string, Tenant> =>
  new Map(exposures.map((exposure) => [exposure.path, tenantOf(exposure, shared)]))
