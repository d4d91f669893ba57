/**
 * What one caller may ask for in a second, whichever cloud's words it uses: operations that use keys (the data plane) and
 * those that manage them (the control plane) apart, and any operation by its name on top.
 */
import { KmsError } from './error.ts'
import { type Call, isDataPlane, type Operation } from './operation.ts'
import { TokenBuckets } from './token-buckets.ts'

/** Requests a second of one caller; absent: as many as he likes. */
export type QuotaRates = {
  readonly data?: number | undefined
  readonly control?: number | undefined
  /** By the operation's name in the audit log. */
  readonly operations?: Readonly<Record<string, number>> | undefined
}

/** Two access keys of one user are one caller. */
const callerOf = ({ dialect, principal }: Call): string => `${dialect} ${principal.aws?.arn ?? principal.id}`

export class CallerQuotas {
  readonly #rates: QuotaRates
  readonly #operations: ReadonlyMap<string, number>
  readonly #buckets = new TokenBuckets()
  #refused = 0

  constructor(rates: QuotaRates) {
    this.#rates = rates
    this.#operations = new Map(Object.entries(rates.operations ?? {}))
  }

  /** Requests that were refused. */
  get refused(): number {
    return this.#refused
  }

  /** Counts a request. What the server does by itself, and its administrator, are not counted. @throws KmsError throttled */
  admit(operation: Operation, call: Call, now: number): void {
    if (call.dialect === 'system') return
    const caller = callerOf(call)
    const ofOperation = this.#operations.get(operation.name)
    if (ofOperation !== undefined) this.#take(caller, operation.name, ofOperation, now)
    const plane = isDataPlane(operation) ? 'data' : 'control'
    const ofPlane = this.#rates[plane]
    if (ofPlane !== undefined) this.#take(caller, plane, ofPlane, now)
  }

  #take(caller: string, quota: string, rate: number, now: number): void {
    const retryAfterMs = this.#buckets.take(`${caller} ${quota}`, rate, now)
    if (retryAfterMs === 0) return
    this.#refused += 1
    throw new KmsError('throttled', { quota, rate, retryAfterMs })
  }
}
