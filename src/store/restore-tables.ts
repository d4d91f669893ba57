/** A database that is filled from a backup: nobody reads it before it is whole. */
import { closeSync, fsyncSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { StartError } from '../core/error.ts'
import { COLLECTION_NAMES } from '../core/schema.ts'
import { decodeRow } from './codec.ts'
import { createPrivateFile } from './lock.ts'
import { applyMigrations, hasCollection, MIGRATIONS } from './migrations.ts'

const BATCH = 5000

/** What SQLite finds wrong with a database; undefined: nothing. */
export function integrityProblem(path: string): string | undefined {
  const database = new Database(path, { readonly: true })
  try {
    const [found] = database.pragma('integrity_check(1)') as { integrity_check: string }[]
    return found?.integrity_check === 'ok' ? undefined : (found?.integrity_check ?? 'no answer')
  } finally {
    database.close()
  }
}

export class RestoreTables {
  readonly #database: Database.Database
  readonly #path: string
  readonly #puts: ReadonlyMap<string, Database.Statement<[string, number, string]>>
  #waiting = 0

  /** @param schema the layout's version that the rows are of. @throws StartError for one that is newer than this program's */
  constructor(path: string, schema: number) {
    if (!Number.isInteger(schema) || schema < 1 || schema > MIGRATIONS.length) {
      throw new StartError(
        `the backup has schema version ${schema}, this version of trefoil knows ${MIGRATIONS.length}: restore it with a newer trefoil`,
      )
    }
    this.#path = path
    createPrivateFile(path)
    this.#database = new Database(path)
    // It is thrown away where this is cut short, and synced where it is not.
    this.#database.pragma('journal_mode = DELETE')
    this.#database.pragma('synchronous = OFF')
    applyMigrations(this.#database, MIGRATIONS.slice(0, schema))
    this.#puts = new Map(
      COLLECTION_NAMES.filter((name) => hasCollection(this.#database, name)).map((name) => [
        name,
        this.#database.prepare(`INSERT OR REPLACE INTO rows_${name} (id, revision, body) VALUES (?, ?, ?)`),
      ]),
    )
    this.#database.exec('BEGIN')
  }

  put(collection: string, id: string, revision: number, body: string): void {
    decodeRow(id, revision, body)
    this.#statement(collection).run(id, revision, body)
    this.#waiting += 1
    if (this.#waiting % BATCH === 0) this.#database.exec('COMMIT; BEGIN')
  }

  #statement(collection: string): Database.Statement<[string, number, string]> {
    const put = this.#puts.get(collection)
    if (put === undefined) throw new Error(`no collection is named ${JSON.stringify(collection)}`)
    return put
  }

  /** @param bucketOf which bucket a row is in, by its id */
  empty(collection: string, buckets: readonly number[], bucketOf: (id: string) => number): void {
    this.#statement(collection)
    const wanted = new Set(buckets)
    this.#database.function('in_bucket', { deterministic: true }, (id) => (wanted.has(bucketOf(String(id))) ? 1 : 0))
    this.#database.prepare(`DELETE FROM rows_${collection} WHERE in_bucket(id) = 1`).run()
  }

  /** Makes it durable. */
  finish(): void {
    this.#database.exec('COMMIT')
    const fd = openSync(this.#path, 'r+')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }

  close(): void {
    this.#database.close()
  }
}
