/**
 * When each key was last used with success. A use costs no write of its own: it is kept in memory and written with the
 * others once a minute and at the end, so that a crash forgets a minute of uses at most.
 */
import type { KeyUse } from './algorithm.ts'
import { DelayedWrites } from './delayed-writes.ts'
import { KmsError } from './error.ts'
import type { Call } from './operation.ts'
import type { Clock, Store, Write } from './ports.ts'

export type LastUse = {
  /** The key's. */
  readonly id: string
  readonly use: KeyUse
  readonly dialect: Call['dialect']
  /** The operation's name on the wire. */
  readonly wire: string
  readonly at: number
  readonly requestId: string
  /** Of the audit record. */
  readonly recordId: string
}

const BATCH = 500
/** Name of the installation's fact that says since when uses are kept. */
const SINCE = 'last-uses-since'

/** Dry runs use nothing, and a signature that does not verify is no success. */
export function isUse(input: unknown, output: unknown): boolean {
  const dry = typeof input === 'object' && input !== null && 'dryRun' in input && input.dryRun === true
  const invalid = typeof output === 'object' && output !== null && 'valid' in output && output.valid === false
  return !dry && !invalid
}

export class LastUses {
  readonly #store: Store
  readonly #clock: Clock
  readonly #uses: DelayedWrites<LastUse>
  #since = 0

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#uses = new DelayedWrites({ clock, batch: BATCH, write: (uses) => this.#write(uses) })
  }

  /** Since when uses are kept, ms since the epoch: the start of the first process that did. */
  get since(): number {
    return this.#since
  }

  async start(): Promise<void> {
    const known = await this.#store.get('meta', SINCE)
    if (known === undefined) {
      const row = { id: SINCE, value: String(this.#clock.now()) }
      await this.#store.commit([{ kind: 'insert', collection: 'meta', row }])
      return this.start()
    }
    this.#since = Number(known.value)
  }

  note(use: LastUse): void {
    this.#uses.note(use)
  }

  async of(keyId: string): Promise<LastUse | undefined> {
    const written = await this.#store.get('lastUses', keyId)
    const kept = this.#uses.pending(keyId)
    return kept === undefined || (written !== undefined && written.at > kept.at) ? written : kept
  }

  /** Writes what is pending. @throws KmsError store_unavailable; what is not written stays pending */
  flush(): Promise<void> {
    return this.#uses.flush()
  }

  stop(): Promise<void> {
    return this.#uses.stop()
  }

  async #write(uses: readonly LastUse[]): Promise<void> {
    const writes = (await Promise.all(uses.map((use) => this.#writesOf(use)))).flat()
    try {
      if (writes.length > 0) await this.#store.commit(writes)
    } catch (error) {
      if (KmsError.from(error).code !== 'conflict') throw error
      // A key was purged, or another process wrote: what is there now decides.
      await this.#write(uses)
    }
  }

  /** Nothing for a key that is gone, or whose later use is there already. */
  async #writesOf(row: LastUse): Promise<readonly Write[]> {
    const known = await this.#store.get('lastUses', row.id)
    if (known === undefined) {
      const key = await this.#store.get('keys', row.id)
      return key === undefined ? [] : [{ kind: 'insert', collection: 'lastUses', row }]
    }
    if (known.at >= row.at) return []
    return [{ kind: 'update', collection: 'lastUses', row, revision: known.revision }]
  }
}
