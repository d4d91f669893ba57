/** The database as it stood at one moment, read beside the process that writes it (SQLite's WAL keeps that moment). */
import Database from 'better-sqlite3'
import { COLLECTION_NAMES } from '../core/schema.ts'

export type SnapshotRow = { readonly id: string; readonly revision: number; readonly body: string }

export class Snapshot {
  readonly #database: Database.Database
  readonly schema: number

  constructor(path: string) {
    this.#database = new Database(path, { readonly: true, timeout: 5000 })
    this.#database.exec('BEGIN')
    // The first read is what fixes the moment.
    this.schema = Number(this.#database.pragma('user_version', { simple: true }))
    this.#database.prepare('SELECT count(*) FROM sqlite_schema').get()
  }

  get collections(): readonly string[] {
    return COLLECTION_NAMES
  }

  /** One at a time; no other statement may run meanwhile. */
  rows(collection: string): IterableIterator<SnapshotRow> {
    const rows = this.#database.prepare<[], SnapshotRow>(`SELECT id, revision, body FROM rows_${collection}`)
    return rows.iterate()
  }

  close(): void {
    this.#database.exec('COMMIT')
    this.#database.close()
  }
}
