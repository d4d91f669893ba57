/**
 * GetHealthStatus: each key manager that has keys of the exposure is asked for a use of itself, not only whether it is
 * there. An answer is as old as it may be (specification: at most a minute), so that nobody can ask too often.
 */
import type { XksExposed } from '../../config/exposures/xks.ts'
import type { CryptoBackend } from '../../core/ports.ts'
import type { KeyReference } from '../../core/reference.ts'

export type HealthStatus = 'ACTIVE' | 'DEGRADED' | 'UNAVAILABLE'
export type Member = { readonly id: string; readonly model: string; readonly healthStatus: HealthStatus }

/** A backend, as AWS KMS is told of it. */
export type KeyManager = {
  readonly name: string
  readonly vendor: () => string
  readonly model: () => string
  /** Rejects while it can't serve. */
  check(signal: AbortSignal): Promise<void>
}
/** What a token says of itself; undefined until it was seen. */
type Token = { readonly manufacturer: string; readonly model: string; readonly firmware: string }

/** A backend that is asked for random bytes, which a token makes itself, besides how it is. */
export const keyManager = (backend: CryptoBackend, token: () => Token | undefined): KeyManager => ({
  name: backend.name,
  vendor: () => token()?.manufacturer ?? VENDOR,
  model: () => {
    const seen = token()
    return seen === undefined ? `${VENDOR} ${backend.protection}` : `${seen.model} ${seen.firmware}`
  },
  async check(signal) {
    const ctx = { signal, requestId: 'xks-health' }
    await backend.health(ctx)
    await backend.random(RANDOM_BYTES, ctx)
  },
})

export type HealthDeps = {
  readonly managers: readonly KeyManager[]
  /** Names of the backends that the keys are in. */
  placesOf(keys: readonly KeyReference[]): Promise<ReadonlySet<string>>
  /** What no backend can do without: the store and the audit log. Rejects while there is none. */
  ready(): Promise<void>
  readonly version: string
}

const RANDOM_BYTES = 16
const FRESH_MS = 2000
/** AWS KMS gives up after 250. */
const CHECK_MS = 150
/** A check takes a few milliseconds; one that takes this long says that others will be late. */
const SLOW_MS = 75
/** The specification's most. */
const MAX_MEMBERS = 10
const VENDOR = 'Trefoil'

async function examine(manager: KeyManager): Promise<Member> {
  const started = performance.now()
  const signal = AbortSignal.timeout(CHECK_MS)
  const late = new Promise<HealthStatus>((resolve) => {
    signal.addEventListener('abort', () => resolve('UNAVAILABLE'), { once: true })
  })
  const checked = manager.check(signal).then(
    (): HealthStatus => (performance.now() - started > SLOW_MS ? 'DEGRADED' : 'ACTIVE'),
    (): HealthStatus => 'UNAVAILABLE',
  )
  const healthStatus = await Promise.race([checked, late])
  return { id: manager.name, model: manager.model(), healthStatus }
}

export class Health {
  readonly #deps: HealthDeps
  readonly #checks = new WeakMap<XksExposed, { readonly at: number; readonly answer: Promise<unknown> }>()

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  /** @throws KmsError where there is no store or no audit log */
  status(exposure: XksExposed): Promise<unknown> {
    const known = this.#checks.get(exposure)
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.answer
    const answer = this.#examine(exposure)
    this.#checks.set(exposure, { at: performance.now(), answer })
    answer.catch(() => this.#checks.delete(exposure))
    return answer
  }

  async #examine({ keys }: XksExposed): Promise<unknown> {
    const { managers, placesOf, ready, version } = this.#deps
    await ready()
    const places = await placesOf(keys.map(({ key }) => key))
    const asked = managers.filter(({ name }) => places.has(name))
    // With no keys yet, whatever new ones could be in.
    const shown = (asked.length > 0 ? asked : managers).slice(0, MAX_MEMBERS)
    return {
      xksProxyFleetSize: 1,
      xksProxyVendor: VENDOR,
      xksProxyModel: `${VENDOR} ${version}`,
      ekmVendor: shown[0]?.vendor() ?? VENDOR,
      ekmFleetDetails: await Promise.all(shown.map(examine)),
    }
  }
}
