/**
 * The durable store. Exactly one process writes (lock.ts), so decoded rows are kept in memory and are as good as the
 * database: a commit changes them only after SQLite's own commit succeeded.
 */
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { KmsError, StartError } from '../core/error.ts'
import { Lru } from '../core/lru.ts'
import type { Order, Page, Store, Stored, Write } from '../core/ports.ts'
import { COLLECTION_NAMES, type CollectionName, type IndexName, type Rows } from '../core/schema.ts'
import { type AnyStored, asStored } from './codec.ts'
import { checkLimit, encodeCursor, encodeTuple, entriesOf, isUniqueIndex, pageRange } from './entries.ts'
import { FileWatch } from './file-watch.ts'
import { syncDirectory } from './files.ts'
import { createPrivateFile, type DirectoryLock, lockDirectory } from './lock.ts'
import { copyBefore, MIGRATIONS, migrate } from './migrations.ts'
import { planCommit, type Step } from './plan.ts'
import { SqliteTables } from './sqlite-tables.ts'

export type SqliteOptions = {
  /** Decoded rows kept in memory, per collection. */
  readonly cachedRows?: number
  /** For the operator's log: what was put right. */
  readonly warn?: (message: string) => void
}

type Cache = { readonly rows: Lru<AnyStored>; readonly ids: Lru<string> }
const CACHED_ROWS = 10_000
/** Characters of row text, per collection. */
const CACHED_TEXT = 32 * 1024 * 1024
const PROBE_INTERVAL_MS = 250

const unavailable = (cause: unknown): KmsError => new KmsError('store_unavailable', {}, { cause })
const callerMistake = (message: string): KmsError => new KmsError('internal', {}, { cause: new Error(message) })

/** SQLite's WAL default here is FULL or NORMAL by build; NORMAL loses acknowledged commits on power failure. */
function setPragmas(database: Database.Database): void {
  const wanted = [
    ['journal_mode', 'wal', 'wal'],
    ['synchronous', 'FULL', 2],
    ['secure_delete', 'ON', 1],
    ['trusted_schema', 'OFF', 0],
  ] as const
  for (const [name, value, answer] of wanted) {
    database.pragma(`${name} = ${value}`)
    const actual = database.pragma(name, { simple: true })
    if (actual !== answer)
      throw new StartError(`SQLite refuses ${name}=${value} for ${database.name} (it says ${String(actual)})`)
  }
}

function openDatabase(path: string): Database.Database {
  const database = new Database(path, { timeout: 100 })
  try {
    setPragmas(database)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/** @throws StartError: in use, newer than this program, not ours, damaged, or not writable */
export function openSqliteStore(path: string, options: SqliteOptions = {}): SqliteStore {
  const lock = lockDirectory(dirname(path))
  let database: Database.Database | undefined
  try {
    createPrivateFile(path)
    database = openDatabase(path)
    const copy = copyBefore(database)
    migrate(database)
    if (copy !== undefined)
      options.warn?.(`the database was brought up to schema ${MIGRATIONS.length}; it is kept as it was in ${copy}`)
    const tables = new SqliteTables(database)
    syncDirectory(dirname(path))
    return new SqliteStore(database, tables, lock, options)
  } catch (cause) {
    database?.close()
    lock.release()
    if (cause instanceof StartError) throw cause
    throw new StartError(`the database ${path} can't be opened: ${(cause as Error).message}`, { cause })
  }
}

export class SqliteStore implements Store {
  #database: Database.Database
  #tables: SqliteTables
  #files: FileWatch
  readonly #lock: DirectoryLock
  readonly #warn: (message: string) => void
  readonly #caches: ReadonlyMap<CollectionName, Cache>
  /** Why the last write failed, until one works again. */
  #failure: unknown
  #probedAt = 0
  #closed = false

  /** Made by `openSqliteStore`, which checks what it is given. */
  constructor(database: Database.Database, tables: SqliteTables, lock: DirectoryLock, options: SqliteOptions) {
    this.#database = database
    this.#tables = tables
    this.#lock = lock
    this.#files = new FileWatch(database.name)
    this.#warn = options.warn ?? (() => {})
    const limits = { maxEntries: options.cachedRows ?? CACHED_ROWS, maxCost: CACHED_TEXT }
    this.#caches = new Map(COLLECTION_NAMES.map((name) => [name, { rows: new Lru(limits), ids: new Lru(limits) }]))
  }

  #cache(collection: CollectionName): Cache {
    return this.#caches.get(collection) as Cache
  }

  #read<T>(work: () => T): T {
    if (this.#closed) throw unavailable(new Error('the store is closed'))
    try {
      return work()
    } catch (error) {
      throw error instanceof KmsError ? error : unavailable(error)
    }
  }

  #load(collection: CollectionName, id: string): AnyStored | undefined {
    const { rows } = this.#cache(collection)
    const cached = rows.get(id)
    // SQLite would look a string with a lone surrogate up as another one.
    if (cached !== undefined || !id.isWellFormed()) return cached
    const loaded = this.#tables.load(collection, id)
    if (loaded !== undefined) rows.set(id, loaded.row, loaded.size)
    return loaded?.row
  }

  peek<C extends CollectionName>(collection: C, id: string): Stored<Rows[C]> | undefined {
    return this.#closed ? undefined : asStored(collection, this.#cache(collection).rows.get(id))
  }

  async get<C extends CollectionName>(collection: C, id: string): Promise<Stored<Rows[C]> | undefined> {
    return this.#read(() => asStored(collection, this.#load(collection, id)))
  }

  async find<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    key: readonly string[],
  ): Promise<Stored<Rows[C]> | undefined> {
    if (!isUniqueIndex(collection, index)) throw callerMistake(`${collection}.${index} is not a unique index`)
    return this.#read(() => {
      const { ids } = this.#cache(collection)
      const encoded = encodeTuple(key)
      const cacheKey = index + encoded
      let id = ids.get(cacheKey)
      if (id === undefined) {
        id = this.#tables.findId(collection, index, encoded)
        if (id === undefined) return undefined
        ids.set(cacheKey, id, cacheKey.length)
      }
      return asStored(collection, this.#load(collection, id))
    })
  }

  async page<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    prefix: readonly string[],
    after: string | undefined,
    limit: number,
    order?: Order,
  ): Promise<Page<Rows[C]>> {
    checkLimit(limit)
    const range = pageRange(prefix, after, order)
    return this.#read(() => {
      const found = this.#tables.range(collection, index, range, limit + 1)
      const shown = found.slice(0, limit)
      const rows = shown.map(({ id }) => {
        const row = asStored(collection, this.#load(collection, id))
        if (row === undefined) throw new Error(`${collection}.${index} names a row that is missing`)
        return row
      })
      return found.length > limit ? { rows, next: encodeCursor((shown.at(-1) as { key: string }).key) } : { rows }
    })
  }

  async count<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    prefix: readonly string[],
  ): Promise<number> {
    const { from, to } = pageRange(prefix, undefined)
    return this.#read(() => this.#tables.count(collection, index, from, to))
  }

  async commit(writes: readonly Write[]): Promise<void> {
    const steps = planCommit(writes)
    if (steps.length === 0) return
    this.#write(() => {
      const old = steps.map((step) => this.#load(step.collection, step.id))
      this.#tables.transact(() => this.#apply(steps, old))
      for (const [at, step] of steps.entries()) this.#remember(step, old[at])
      // Files that went away meanwhile took the commit with them, and it is not to be acknowledged there.
      this.#checkFiles()
    })
  }

  /** Old entries go before new ones come: what counts for uniqueness is the outcome, not the order of the writes. */
  #apply(steps: readonly Step[], old: readonly (AnyStored | undefined)[]): void {
    steps.forEach(({ collection, expected }, at) => {
      const row = old[at]
      if (row?.revision !== expected) throw new KmsError('conflict')
      if (row !== undefined) this.#tables.removeEntries(collection, entriesOf(collection, row))
    })
    for (const step of steps) {
      this.#tables.write(step)
      if (step.next !== undefined) this.#tables.addEntries(step.collection, step.id, step.next.entries)
    }
  }

  #remember({ collection, id, next }: Step, old: AnyStored | undefined): void {
    const { rows, ids } = this.#cache(collection)
    if (old !== undefined) for (const { index, key } of entriesOf(collection, old)) ids.delete(index + key)
    if (next === undefined) rows.delete(id)
    else rows.set(id, next.row, next.body.length)
  }

  /** Runs a write; a failure that is not the caller's is remembered for `health`, a success forgets it. */
  #write(work: () => void): void {
    this.#read(() => {
      try {
        this.#checkFiles()
        work()
        this.#failure = undefined
      } catch (error) {
        if (error instanceof Database.SqliteError && error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY')
          throw new KmsError('conflict', {}, { cause: error })
        if (!(error instanceof KmsError)) this.#failure = error
        throw error
      }
    })
  }

  /**
   * Files that were deleted or replaced take writes for as long as we hold them open, and nobody finds them again. The
   * database itself can't be helped; what its side files have is moved there, and new ones are begun.
   */
  #checkFiles(): void {
    this.#files.checkDatabase()
    const lost = this.#files.lostSideFile()
    if (lost === undefined) return
    const [moved] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
    if (moved?.busy !== 0) throw new Error(`${lost} is gone, and another program keeps the database from doing without`)
    this.#database.close()
    this.#database = openDatabase(this.#database.name)
    this.#tables = new SqliteTables(this.#database)
    this.#files = new FileWatch(this.#database.name)
    this.#warn(`${lost} was deleted or replaced: what it had is in the database, and a new one is begun`)
  }

  async health(): Promise<void> {
    if (this.#failure !== undefined && Date.now() - this.#probedAt >= PROBE_INTERVAL_MS) {
      this.#probedAt = Date.now()
      this.#write(() => this.#tables.probe())
    }
    if (this.#failure !== undefined) throw unavailable(this.#failure)
    this.#read(() => this.#checkFiles())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
    this.#lock.release()
  }
}
