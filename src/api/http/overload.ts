/**
 * Sheds load while the event loop is late: a request that has waited for a second already is better told to come back
 * than served after its client gave up. Refused is as much of the load as is too much: half of it where the loop is twice
 * as late as it may be.
 */

const SAMPLE_MS = 50
/** One late turn is a collection of garbage or a key being made; so many in a row are load. */
const IN_A_ROW = 3

export class Overload {
  readonly #limitMs: number
  readonly #now: () => number
  readonly #late: number[] = []
  #expected: number
  #share = 0
  /** What of the share was not refused yet: shares are dealt out evenly, not drawn. */
  #owed = 0
  #shed = 0
  #timer: NodeJS.Timeout | undefined

  /** @param limitMs how late the event loop may be */
  constructor(limitMs: number, now: () => number = () => performance.now()) {
    this.#limitMs = limitMs
    this.#now = now
    this.#expected = now()
  }

  start(): void {
    this.#expected = this.#now() + SAMPLE_MS
    this.#timer ??= setInterval(() => this.sample(), SAMPLE_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#share = 0
  }

  /** Looks how late the loop is. */
  sample(): void {
    const now = this.#now()
    this.#late.push(Math.max(0, now - this.#expected))
    if (this.#late.length > IN_A_ROW) this.#late.shift()
    this.#expected = now + SAMPLE_MS
    const lateness = this.#late.length < IN_A_ROW ? 0 : Math.min(...this.#late)
    this.#share = lateness > this.#limitMs ? 1 - this.#limitMs / lateness : 0
  }

  /** Whether this request is one of those to refuse. */
  sheds(): boolean {
    if (this.#share === 0) return false
    this.#owed += this.#share
    if (this.#owed < 1) return false
    this.#owed -= 1
    this.#shed += 1
    return true
  }

  /** How many requests were refused. */
  get shed(): number {
    return this.#shed
  }
}
