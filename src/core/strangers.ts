/**
 * Requests whose caller could not be verified, in the audit log: so many in a time, and then how many were left out.
 * Whoever has no credentials can't fill the disk with what he is refused.
 */
import type { Call } from './operation.ts'
import type { AuditLog, Clock } from './ports.ts'
import { newTrace, recordOf } from './trace.ts'

const WINDOW_MS = 600_000
const RECORDS_PER_WINDOW = 60

/** What was asked for is not looked at before the caller is known. */
const AUTHENTICATE = { name: 'Authenticate', action: 'authenticate' } as const

export class Strangers {
  readonly #audit: AuditLog
  readonly #clock: Clock
  #since = Number.NEGATIVE_INFINITY
  #recorded = 0
  #leftOut = 0

  constructor(audit: AuditLog, clock: Clock) {
    this.#audit = audit
    this.#clock = clock
  }

  /** @throws KmsError audit_unavailable */
  async record(call: Call): Promise<void> {
    const now = this.#clock.now()
    // A clock that was set back begins a window too.
    if (Math.abs(now - this.#since) >= WINDOW_MS) {
      this.#since = now
      this.#recorded = 0
    }
    if (this.#recorded >= RECORDS_PER_WINDOW) {
      this.#leftOut += 1
      return
    }
    this.#recorded += 1
    const leftOut = this.#leftOut
    this.#leftOut = 0
    const record = recordOf(AUTHENTICATE, call, { ...newTrace(now), decision: 'deny' }, 'unauthenticated')
    await this.#audit.append(leftOut === 0 ? record : { ...record, leftOut })
  }
}
