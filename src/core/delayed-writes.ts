/** Facts that are not worth a write each: kept in memory, and written with the others once a minute and at the end. */
import type { Clock } from './ports.ts'

const FLUSH_MS = 60_000

export type DelayedWritesOptions<T> = {
  readonly clock: Clock
  /** How many are written at once. */
  readonly batch: number
  /** Rejects where they have to be tried again. */
  write(rows: readonly T[]): Promise<void>
}

export class DelayedWrites<T extends { readonly id: string }> {
  readonly #options: DelayedWritesOptions<T>
  /** Not yet written; of each id the latest only. */
  readonly #pending = new Map<string, T>()
  #cancel: (() => void) | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(options: DelayedWritesOptions<T>) {
    this.#options = options
  }

  note(row: T): void {
    const { clock } = this.#options
    this.#pending.set(row.id, row)
    this.#cancel ??= clock.schedule(clock.now() + FLUSH_MS, () => {
      this.#cancel = undefined
      // What could not be written stays pending, and is tried again after the next note.
      this.flush().catch(() => {})
    })
  }

  /** One that is not written yet. */
  pending(id: string): T | undefined {
    return this.#pending.get(id)
  }

  /** Writes what is pending. One at a time. @throws what `write` rejects with; what is not written stays pending */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#write())
    return this.#flushing
  }

  async stop(): Promise<void> {
    this.#cancel?.()
    await this.flush()
  }

  async #write(): Promise<void> {
    const { batch, write } = this.#options
    const rows = [...this.#pending.values()]
    for (let from = 0; from < rows.length; from += batch) {
      const some = rows.slice(from, from + batch)
      await write(some)
      for (const row of some) if (this.#pending.get(row.id) === row) this.#pending.delete(row.id)
    }
  }
}
