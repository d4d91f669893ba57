/** When each access key was last used, kept in memory and written once a minute and at the end, as uses of keys are. */
import { KmsError } from '../error.ts'
import type { Clock, Store, Write } from '../ports.ts'
import type { AccessKeyUse } from './principal.ts'

const FLUSH_MS = 60_000

export class AccessKeyUses {
  readonly #store: Store
  readonly #clock: Clock
  readonly #pending = new Map<string, AccessKeyUse>()
  #cancel: (() => void) | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  note(use: AccessKeyUse): void {
    this.#pending.set(use.id, use)
    this.#cancel ??= this.#clock.schedule(use.at + FLUSH_MS, () => {
      this.#cancel = undefined
      // What could not be written stays pending, and is tried again after the next use.
      this.flush().catch(() => {})
    })
  }

  /** One that is not written yet. */
  recent(id: string): AccessKeyUse | undefined {
    return this.#pending.get(id)
  }

  async of(id: string): Promise<AccessKeyUse | undefined> {
    return this.recent(id) ?? (await this.#store.get('accessKeyUses', id))
  }

  /** One at a time. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#write())
    return this.#flushing
  }

  async stop(): Promise<void> {
    this.#cancel?.()
    await this.flush()
  }

  async #write(): Promise<void> {
    for (const use of [...this.#pending.values()]) {
      const known = await this.#store.get('accessKeyUses', use.id)
      const write: Write =
        known === undefined
          ? { kind: 'insert', collection: 'accessKeyUses', row: use }
          : { kind: 'update', collection: 'accessKeyUses', row: use, revision: known.revision }
      try {
        await this.#store.commit([write])
      } catch (error) {
        // Another process wrote it a moment ago: late enough.
        if (KmsError.from(error).code !== 'conflict') throw error
      }
      if (this.#pending.get(use.id) === use) this.#pending.delete(use.id)
    }
  }
}
