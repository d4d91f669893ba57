/** The SQL of the SQLite store: every statement, prepared once. */
import type Database from 'better-sqlite3'
import { COLLECTION_NAMES, type CollectionName } from '../core/schema.ts'
import { type AnyStored, decodeRow } from './codec.ts'
import { type Entry, entriesOf, indexFingerprint, keyBytes, type Range } from './entries.ts'
import type { Step } from './plan.ts'

type BodyRow = { readonly revision: number; readonly body: string }
export type Loaded = { readonly row: AnyStored; readonly size: number }

/** Enough pages that a probe meets a full disk, few enough to run four times a second. */
const PROBE_BYTES = 64 * 1024

const BATCH = 1000

const rowStatements = (database: Database.Database, collection: CollectionName) => ({
  get: database.prepare<[string], BodyRow>(`SELECT revision, body FROM rows_${collection} WHERE id = ?`),
  put: database.prepare<[string, number, string]>(
    `INSERT INTO rows_${collection} (id, revision, body) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, body = excluded.body`,
  ),
  remove: database.prepare<[string]>(`DELETE FROM rows_${collection} WHERE id = ?`),
  batch: database.prepare<[number, number], BodyRow & { readonly id: string; readonly rowid: number }>(
    `SELECT rowid, id, revision, body FROM rows_${collection} WHERE rowid > ? ORDER BY rowid LIMIT ?`,
  ),
})

const rangeStatement = (database: Database.Database, direction: 'ASC' | 'DESC') =>
  database.prepare<[string, string, Buffer, Buffer, number], { readonly key: Buffer; readonly id: string }>(
    `SELECT key, id FROM entries WHERE collection = ? AND name = ? AND key >= ? AND key < ?
     ORDER BY key ${direction} LIMIT ?`,
  )

const entryStatements = (database: Database.Database) => ({
  find: database
    .prepare<[string, string, Buffer], string>('SELECT id FROM entries WHERE collection = ? AND name = ? AND key = ?')
    .pluck(),
  add: database.prepare<[string, string, Buffer, string]>(
    'INSERT INTO entries (collection, name, key, id) VALUES (?, ?, ?, ?)',
  ),
  remove: database.prepare<[string, string, Buffer]>(
    'DELETE FROM entries WHERE collection = ? AND name = ? AND key = ?',
  ),
  ascending: rangeStatement(database, 'ASC'),
  descending: rangeStatement(database, 'DESC'),
  count: database
    .prepare<[string, string, Buffer, Buffer], number>(
      'SELECT count(*) FROM entries WHERE collection = ? AND name = ? AND key >= ? AND key < ?',
    )
    .pluck(),
})

const settingStatements = (database: Database.Database) => ({
  get: database.prepare<[string], unknown>('SELECT value FROM settings WHERE name = ?').pluck(),
  set: database.prepare<[string, unknown]>(
    'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  ),
})

export class SqliteTables {
  readonly #database: Database.Database
  readonly #rows: ReadonlyMap<CollectionName, ReturnType<typeof rowStatements>>
  readonly #entries: ReturnType<typeof entryStatements>
  readonly #settings: ReturnType<typeof settingStatements>
  readonly #transaction: Database.Transaction<(work: () => void) => void>

  constructor(database: Database.Database) {
    this.#database = database
    this.#rows = new Map(COLLECTION_NAMES.map((name) => [name, rowStatements(database, name)]))
    this.#entries = entryStatements(database)
    this.#settings = settingStatements(database)
    this.#transaction = database.transaction((work: () => void) => work())
    this.#reindexIfChanged()
  }

  #of(collection: CollectionName): ReturnType<typeof rowStatements> {
    return this.#rows.get(collection) as ReturnType<typeof rowStatements>
  }

  load(collection: CollectionName, id: string): Loaded | undefined {
    const found = this.#of(collection).get.get(id)
    return found && { row: decodeRow(id, found.revision, found.body), size: found.body.length }
  }

  findId(collection: CollectionName, index: string, key: string): string | undefined {
    return this.#entries.find.get(collection, index, keyBytes(key))
  }

  range(
    collection: CollectionName,
    index: string,
    { from, to, order }: Range,
    limit: number,
  ): readonly { key: string; id: string }[] {
    const found = this.#entries[order].all(collection, index, keyBytes(from), keyBytes(to), limit)
    return found.map(({ key, id }) => ({ key: key.swap16().toString('utf16le'), id }))
  }

  count(collection: CollectionName, index: string, from: string, to: string): number {
    return this.#entries.count.get(collection, index, keyBytes(from), keyBytes(to)) ?? 0
  }

  /** One IMMEDIATE transaction; `work` throws to roll it back. */
  transact(work: () => void): void {
    this.#transaction.immediate(work)
  }

  addEntries(collection: CollectionName, id: string, entries: readonly Entry[]): void {
    for (const { index, key } of entries) this.#entries.add.run(collection, index, keyBytes(key), id)
  }

  removeEntries(collection: CollectionName, entries: readonly Entry[]): void {
    for (const { index, key } of entries) this.#entries.remove.run(collection, index, keyBytes(key))
  }

  write({ collection, id, next }: Step): void {
    if (next === undefined) this.#of(collection).remove.run(id)
    else this.#of(collection).put.run(id, next.row.revision, next.body)
  }

  /** Writes and unwrites as much as a commit might need. */
  probe(): void {
    this.transact(() => this.#settings.set.run('probe', Buffer.alloc(PROBE_BYTES, 1)))
    this.transact(() => this.#settings.set.run('probe', 0))
  }

  /** Batch by batch: a store may be larger than memory. */
  *#every(collection: CollectionName): Generator<BodyRow & { readonly id: string }> {
    let after = 0
    for (;;) {
      const rows = this.#of(collection).batch.all(after, BATCH)
      yield* rows
      const last = rows.at(-1)
      if (last === undefined) return
      after = last.rowid
    }
  }

  /** Entries made by other index definitions than these would be looked up in vain, or left behind. */
  #reindexIfChanged(): void {
    const fingerprint = indexFingerprint()
    if (this.#settings.get.get('indexes') === fingerprint) return
    this.transact(() => {
      this.#database.exec('DELETE FROM entries')
      for (const collection of COLLECTION_NAMES) {
        for (const { id, revision, body } of this.#every(collection)) {
          this.addEntries(collection, id, entriesOf(collection, decodeRow(id, revision, body)))
        }
      }
      this.#settings.set.run('indexes', fingerprint)
    })
  }
}
