/**
 * For callers who give up soon (AWS KMS and Azure Managed HSM after 250 ms): work for somebody who has left only delays the
 * others. So a request that would come to its turn too late is throttled as it arrives, and one that takes too long is
 * answered at its deadline.
 */
import { KmsError } from '../../core/error.ts'
import type { Clock } from '../../core/ports.ts'
import { TokenBuckets } from '../../core/token-buckets.ts'
import { Deadlines } from './deadlines.ts'

/** Of the deadline: what may be gone before a request's turn comes. */
const WAITING = 0.5
/** With fewer in flight than this, slowness is the key manager's and not a queue's. */
const LEAST_IN_FLIGHT = 64
/** Turns of the event loop that are nearer to each other follow each other. */
const ADJACENT_MS = 1

/** What a request that is found in this turn of the event loop has waited for in its socket, where nobody saw it. */
export class Turns {
  readonly #now: () => number
  readonly #afterTurn: (run: () => void) => void
  #begun = 0
  #ended = 0
  #before = 0
  #running = false

  constructor(now: () => number, afterTurn: (run: () => void) => void) {
    this.#now = now
    this.#afterTurn = afterTurn
  }

  /** ms, at most: since this turn began, and all of the one before it. */
  waited(): number {
    const now = this.#now()
    if (!this.#running) {
      this.#running = true
      if (now - this.#ended > ADJACENT_MS) this.#before = 0
      this.#begun = now
      this.#afterTurn(() => {
        this.#running = false
        this.#ended = this.#now()
        this.#before = this.#ended - this.#begun
      })
    }
    return now - this.#begun + this.#before
  }
}
/** One event loop, whoever asks. */
const turns = new Turns(() => performance.now(), setImmediate)

export type Admitted = {
  /** Aborts at the deadline, for backends. */
  readonly signal: AbortSignal
  /** `answer`, or KmsError backend_timeout at the deadline whatever becomes of it. */
  inTime<T>(answer: Promise<T>): Promise<T>
  /** Once it is answered, or its caller has left. */
  leave(): void
}
type InFlight = { readonly at: number; expire: (() => void) | undefined }

/** The requests of one exposure, so that one whose token is slow does not hold up the others. */
export class Gate {
  readonly #deadlineMs: number
  readonly #deadlines: Deadlines
  readonly #now: () => number
  readonly #turns: Pick<Turns, 'waited'>
  /** Oldest first. */
  readonly #inFlight = new Set<InFlight>()
  #timer: NodeJS.Timeout | undefined

  /** `now`: ms since whenever. */
  constructor(deadlineMs: number, now: () => number = () => performance.now(), waiting: Pick<Turns, 'waited'> = turns) {
    this.#deadlineMs = deadlineMs
    this.#turns = waiting
    this.#now = now
    // Its signals are late by up to a tenth.
    this.#deadlines = new Deadlines(Math.floor((deadlineMs * 10) / 11))
  }

  /** @throws KmsError throttled for a request that would be late */
  enter(): Admitted {
    const waited = this.#turns.waited()
    const longest = this.#deadlineMs * WAITING
    const oldest = this.#inFlight.size < LEAST_IN_FLIGHT ? undefined : this.#oldest()
    if (waited > longest || (oldest !== undefined && this.#now() - oldest.at > longest)) {
      throw new KmsError('throttled')
    }
    const entry: InFlight = { at: this.#now() - waited, expire: undefined }
    this.#inFlight.add(entry)
    this.#timer ??= this.#watch(this.#deadlineMs)
    return {
      signal: this.#deadlines.signal(),
      inTime: (answer) =>
        Promise.race([
          answer,
          new Promise<never>((_, reject) => {
            entry.expire = () => reject(new KmsError('backend_timeout'))
          }),
        ]),
      leave: () => this.#inFlight.delete(entry),
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#deadlines.close()
  }

  #oldest(): InFlight | undefined {
    const [oldest] = this.#inFlight
    return oldest
  }

  #watch(afterMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#expireOldest(), Math.max(1, afterMs)).unref()
  }

  #expireOldest(): void {
    const now = this.#now()
    for (const entry of this.#inFlight) {
      const left = entry.at + this.#deadlineMs - now
      if (left > 0) {
        this.#timer = this.#watch(left)
        return
      }
      this.#inFlight.delete(entry)
      entry.expire?.()
    }
    this.#timer = undefined
  }
}

/**
 * Counts requests; what may come at once is as much as may come in a second.
 * @param perSecond undefined: any number
 * @returns takes one. @throws KmsError throttled
 */
export function rateLimit(perSecond: number | undefined, clock: Clock): () => void {
  if (perSecond === undefined) return () => {}
  const buckets = new TokenBuckets()
  return () => {
    const retryAfterMs = buckets.take('', perSecond, clock.now())
    if (retryAfterMs > 0) throw new KmsError('throttled', { retryAfterMs })
  }
}
