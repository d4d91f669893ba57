/**
 * Whether decisions are asked for at all, dialect by dialect: `off` allows, `permissive` allows and reports what would
 * have been denied, `enforce` denies whatever no evaluator allows. A dialect without an evaluator can't allow anything.
 * External callers are let do what their exposure says, in every mode.
 */
import { andThen, type Eventually } from '../eventually.ts'
import { type Dialect, isExternal } from '../key.ts'
import { Lru } from '../lru.ts'
import type { AccessRequest, Authorizer, Decision } from '../ports.ts'

export type AuthMode = 'off' | 'permissive' | 'enforce'
export type Evaluator = (request: AccessRequest) => Eventually<Decision>

export type ModeOptions = {
  readonly modes: Readonly<Record<Dialect, AuthMode>>
  readonly evaluators: Readonly<Partial<Record<Dialect, Evaluator>>>
  /** Told of what `permissive` let pass, once of each thing that would have been denied. */
  readonly wouldDeny: (request: AccessRequest, reason: string) => void
}

const ALLOW: Decision = { allow: true }
/** Reports that are remembered, so as not to be repeated. */
const MAX_REPORTED = 4096
const NOT_EXPOSED: Decision = { allow: false, reason: 'the exposure does not let it be done with this key' }
const NO_EVALUATOR: Decision = { allow: false, reason: 'this dialect has no policy evaluator' }

export class ModeAuthorizer implements Authorizer {
  readonly #options: ModeOptions
  readonly #reported = new Lru<true>(MAX_REPORTED)

  constructor(options: ModeOptions) {
    this.#options = options
  }

  decide(request: AccessRequest): Eventually<Decision> {
    const { dialect, exposed, action } = request
    if (dialect === 'system') return ALLOW
    if (isExternal(dialect)) return exposed?.actions.has(action) === true ? ALLOW : NOT_EXPOSED
    const mode = this.#options.modes[dialect]
    if (mode === 'off') return ALLOW
    return andThen(this.#options.evaluators[dialect]?.(request) ?? NO_EVALUATOR, (decision) => {
      if (decision.allow || mode === 'enforce') return decision
      this.#report(request, decision.reason)
      return ALLOW
    })
  }

  #report(request: AccessRequest, reason: string): void {
    const { dialect, principal, action } = request
    const shape = `${dialect} ${principal.id} ${action} ${reason}`
    if (this.#reported.get(shape) === true) return
    this.#reported.set(shape, true)
    this.#options.wouldDeny(request, reason)
  }
}
