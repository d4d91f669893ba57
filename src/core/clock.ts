/** Time as the core sees it. What is scheduled follows the wall clock, also when that jumps. */
import type { Clock } from './ports.ts'

type Entry = { readonly at: number; readonly fire: () => void }

/** A jump of the machine's clock is noticed within this time. */
const MAX_SLEEP_MS = 30_000

export class SystemClock implements Clock {
  readonly #entries = new Set<Entry>()
  #timer: NodeJS.Timeout | undefined

  now(): number {
    return Date.now()
  }

  schedule(at: number, fire: () => void): () => void {
    const entry = { at, fire }
    this.#entries.add(entry)
    this.rearm()
    return () => {
      this.#entries.delete(entry)
    }
  }

  /** Fires what is due, soonest first, and sleeps until the next; to be called whenever `now()` jumped. */
  protected rearm(): void {
    clearTimeout(this.#timer)
    const next = this.#soonest()
    if (next === undefined) return
    const wait = Math.max(0, Math.min(next.at - this.now(), MAX_SLEEP_MS))
    this.#timer = setTimeout(() => this.fireDue(), wait)
    this.#timer.unref()
  }

  /** Entries that fired entries add are fired too, if they are due already. */
  protected fireDue(): void {
    for (let next = this.#soonest(); next !== undefined && next.at <= this.now(); next = this.#soonest()) {
      this.#entries.delete(next)
      next.fire()
    }
    this.rearm()
  }

  #soonest(): Entry | undefined {
    let soonest: Entry | undefined
    for (const entry of this.#entries) if (soonest === undefined || entry.at < soonest.at) soonest = entry
    return soonest
  }

  /** Forgets everything scheduled. */
  close(): void {
    clearTimeout(this.#timer)
    this.#entries.clear()
  }
}

export type ClockState = { readonly now: number; readonly frozen: boolean }

/** A clock for the dev profile: can be set, frozen and advanced. Every change fires what fell due before it returns. */
export class SettableClock extends SystemClock {
  #offset = 0
  #frozenAt: number | undefined

  override now(): number {
    return this.#frozenAt ?? Date.now() + this.#offset
  }

  state(): ClockState {
    return { now: this.now(), frozen: this.#frozenAt !== undefined }
  }

  /** Ms since the epoch; a frozen clock stays frozen. */
  set(now: number): void {
    this.#offset = now - Date.now()
    if (this.#frozenAt !== undefined) this.#frozenAt = now
    this.fireDue()
  }

  advance(ms: number): void {
    this.set(this.now() + ms)
  }

  freeze(): void {
    this.#frozenAt = this.now()
  }

  /** Runs on from where it was frozen. */
  resume(): void {
    if (this.#frozenAt === undefined) return
    this.#offset = this.#frozenAt - Date.now()
    this.#frozenAt = undefined
    this.rearm()
  }

  /** Back to the machine's time. */
  reset(): void {
    this.#offset = 0
    this.#frozenAt = undefined
    this.fireDue()
  }
}
