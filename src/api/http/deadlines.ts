/**
 * Deadlines for thousands of requests per second without a timer each: all requests that begin in the same slot share
 * one AbortSignal, which aborts between the limit and one slot later.
 */
import { KmsError } from '../../core/error.ts'

const SLOTS = 10

export class Deadlines {
  readonly #limitMs: number
  readonly #slotMs: number
  #current: AbortSignal | undefined
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(limitMs: number) {
    this.#limitMs = limitMs
    this.#slotMs = Math.max(10, Math.floor(limitMs / SLOTS))
  }

  /** The signal of a request that begins now; its reason is a KmsError `backend_timeout`. */
  signal(): AbortSignal {
    this.#current ??= this.#open()
    return this.#current
  }

  #open(): AbortSignal {
    const controller = new AbortController()
    this.#after(this.#slotMs, () => {
      this.#current = undefined
    })
    this.#after(this.#limitMs + this.#slotMs, () => controller.abort(new KmsError('backend_timeout')))
    return controller.signal
  }

  #after(ms: number, fire: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      fire()
    }, ms)
    timer.unref()
    this.#timers.add(timer)
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
