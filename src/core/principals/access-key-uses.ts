/** When each access key was last used, kept as uses of keys are. */
import { DelayedWrites } from '../delayed-writes.ts'
import { KmsError } from '../error.ts'
import type { Clock, Store, Write } from '../ports.ts'
import type { AccessKeyUse } from './principal.ts'

export class AccessKeyUses {
  readonly #store: Store
  readonly #uses: DelayedWrites<AccessKeyUse>

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#uses = new DelayedWrites({ clock, batch: 1, write: (uses) => this.#write(uses) })
  }

  note(use: AccessKeyUse): void {
    this.#uses.note(use)
  }

  /** One that is not written yet. */
  recent(id: string): AccessKeyUse | undefined {
    return this.#uses.pending(id)
  }

  async of(id: string): Promise<AccessKeyUse | undefined> {
    return this.recent(id) ?? (await this.#store.get('accessKeyUses', id))
  }

  flush(): Promise<void> {
    return this.#uses.flush()
  }

  stop(): Promise<void> {
    return this.#uses.stop()
  }

  async #write(uses: readonly AccessKeyUse[]): Promise<void> {
    for (const row of uses) {
      const known = await this.#store.get('accessKeyUses', row.id)
      const write: Write =
        known === undefined
          ? { kind: 'insert', collection: 'accessKeyUses', row }
          : { kind: 'update', collection: 'accessKeyUses', row, revision: known.revision }
      try {
        await this.#store.commit([write])
      } catch (error) {
        // Another process wrote it a moment ago: late enough.
        if (KmsError.from(error).code !== 'conflict') throw error
      }
    }
  }
}
