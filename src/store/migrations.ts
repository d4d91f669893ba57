/** The database's layout, as the steps that led to it. A step that was released is never edited: add one. */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type Database from 'better-sqlite3'
import { StartError } from '../core/error.ts'
import { COLLECTION_NAMES } from '../core/schema.ts'
import { syncDirectory, syncTree } from './files.ts'

/** `Tref`: tells our databases from anybody else's. */
const APPLICATION_ID = 0x54726566

type Migration = (database: Database.Database) => void

const FIRST_COLLECTIONS = ['realms', 'rings', 'keys', 'versions', 'aliases', 'tombstones', 'outbox', 'meta'] as const

const rowsTable = (collection: string): string =>
  `CREATE TABLE rows_${collection} (id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT`

export const MIGRATIONS: readonly Migration[] = [
  (database) => {
    for (const collection of FIRST_COLLECTIONS) database.exec(rowsTable(collection))
    database.exec(`
      CREATE TABLE entries (
        collection TEXT NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL, id TEXT NOT NULL,
        PRIMARY KEY (collection, name, key)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE settings (name TEXT PRIMARY KEY NOT NULL, value ANY NOT NULL) STRICT;
    `)
  },
  (database) => database.exec(rowsTable('lastUses')),
  (database) => {
    for (const collection of ['secrets', 'secretVersions']) database.exec(rowsTable(collection))
  },
  (database) => database.exec(rowsTable('messageCounts')),
  (database) => {
    for (const collection of ['principals', 'accessKeys', 'accessKeyUses']) database.exec(rowsTable(collection))
  },
  (database) => database.exec(rowsTable('keyStores')),
  (database) => database.exec(rowsTable('grants')),
  (database) => {
    for (const collection of ['roleDefinitions', 'roleAssignments', 'iamPolicies']) database.exec(rowsTable(collection))
  },
]

const numberPragma = (database: Database.Database, name: string): number =>
  Number(database.pragma(name, { simple: true }))

/** The version that the database has; 0: it is new. @throws StartError for one that is newer, or not ours */
export function schemaOf(database: Database.Database, migrations: readonly Migration[] = MIGRATIONS): number {
  const version = numberPragma(database, 'user_version')
  const application = numberPragma(database, 'application_id')
  const empty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  if (!empty && application !== APPLICATION_ID) {
    throw new StartError(`${database.name} is a database of another program: choose another data directory`)
  }
  if (version > migrations.length) {
    throw new StartError(
      `${database.name} has schema version ${version}, this version of trefoil knows ${migrations.length}: start a newer trefoil, or restore a backup`,
    )
  }
  return version
}

/** Each step is one transaction, so that one that was cut short goes on where it stopped. @throws StartError */
export function applyMigrations(database: Database.Database, migrations: readonly Migration[] = MIGRATIONS): void {
  const version = schemaOf(database, migrations)
  migrations.slice(version).forEach((step, offset) => {
    database
      .transaction(() => {
        step(database)
        database.pragma(`application_id = ${APPLICATION_ID}`)
        database.pragma(`user_version = ${version + offset + 1}`)
      })
      .immediate()
  })
}

export const hasCollection = (database: Database.Database, collection: string): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(`rows_${collection}`) !==
  undefined

/** Where a database is kept as it was before it was brought up from a version. */
export const copyPath = (path: string, version: number): string => `${path}.schema-${version}`

/**
 * A database of an earlier version is copied before the first step changes it. One that is there already is of an attempt that
 * was cut short, and from before it. @returns the copy; undefined where none is needed
 */
export function copyBefore(database: Database.Database): string | undefined {
  const version = schemaOf(database)
  if (version === 0 || version === MIGRATIONS.length) return undefined
  const copy = copyPath(database.name, version)
  if (existsSync(copy)) return copy
  const partial = `${copy}.partial`
  rmSync(partial, { force: true })
  const mask = process.umask(0o177)
  try {
    database.prepare('VACUUM INTO ?').run(partial)
  } finally {
    process.umask(mask)
  }
  syncTree(partial)
  renameSync(partial, copy)
  syncDirectory(dirname(copy))
  return copy
}

/** @throws StartError for a database of a newer version, or one that is not ours */
export function migrate(database: Database.Database, migrations: readonly Migration[] = MIGRATIONS): void {
  applyMigrations(database, migrations)
  const missing = COLLECTION_NAMES.find((collection) => !hasCollection(database, collection))
  if (missing !== undefined) {
    throw new StartError(`${database.name} has no table for ${missing}: it is damaged, restore a backup`)
  }
}
