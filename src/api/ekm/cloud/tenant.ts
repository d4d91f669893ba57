/** One exposure with what verifies its callers' tokens, what they may, and how long it may take. */
import type { CloudEkmConfig } from '../../../config/exposures/cloud-ekm.ts'
import { Gate } from '../../http/gate.ts'
import type { KeySetPool } from '../../oidc/key-set-pool.ts'
import { TokenVerifier } from '../../oidc/verifier.ts'
import type { SurfaceServices } from '../../surface.ts'
import { Rules } from './rules.ts'

export type Tenant = {
  readonly exposure: CloudEkmConfig
  readonly path: string
  readonly verifier: TokenVerifier
  readonly rules: Rules
  readonly gate: Gate
}

export function tenantOf(exposure: CloudEkmConfig, clock: SurfaceServices['clock'], keySets: KeySetPool): Tenant {
  const verifier = new TokenVerifier({ issuers: [exposure.issuer], clock, keySets })
  void verifier.warm()
  const { path, deadlineMs } = exposure
  return { exposure, path, verifier, rules: new Rules(exposure), gate: new Gate(deadlineMs) }
}
