/**
 * A bounded map that forgets what was not used lately. A read marks its entry instead of moving it, since moving costs more
 * than the look-up: of the oldest entries the marked ones get a second chance (the CLOCK algorithm).
 */
type Entry<V> = { readonly value: V; readonly cost: number; used: boolean }

export type LruLimits = {
  readonly maxEntries: number
  /** Of all entries together, in the caller's unit; absent: no limit. */
  readonly maxCost?: number
}

export class Lru<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #maxEntries: number
  readonly #maxCost: number
  #cost = 0

  constructor(limits: number | LruLimits) {
    const { maxEntries, maxCost } = typeof limits === 'number' ? { maxEntries: limits } : limits
    this.#maxEntries = maxEntries
    this.#maxCost = maxCost ?? Number.POSITIVE_INFINITY
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.used = true
    return entry.value
  }

  /** What costs more than all may together is not kept. */
  set(key: string, value: V, cost = 0): void {
    this.delete(key)
    if (cost > this.#maxCost) return
    this.#entries.set(key, { value, cost, used: false })
    this.#cost += cost
    this.#evict(key)
  }

  /** `newest` is the last to go, so that it outlives this call. */
  #evict(newest: string): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#cost <= this.#maxCost) return
      this.#entries.delete(key)
      if (entry.used || (key === newest && this.#entries.size > 0)) {
        // Iteration comes to it again, behind all others.
        this.#entries.set(key, { ...entry, used: false })
      } else {
        this.#cost -= entry.cost
      }
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#cost -= entry.cost
  }

  clear(): void {
    this.#entries.clear()
    this.#cost = 0
  }
}
