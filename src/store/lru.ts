/** A map that forgets what was used longest ago once it holds too many entries or too much. */
export class Lru<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly cost: number }>()
  readonly #maxEntries: number
  readonly #maxCost: number
  #cost = 0

  constructor(limits: { readonly maxEntries: number; readonly maxCost: number }) {
    this.#maxEntries = limits.maxEntries
    this.#maxCost = limits.maxCost
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, cost: number): void {
    this.delete(key)
    if (cost > this.#maxCost) return
    this.#entries.set(key, { value, cost })
    this.#cost += cost
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#cost <= this.#maxCost) break
      this.delete(oldest)
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

  get size(): number {
    return this.#entries.size
  }
}
