/** What a start would make of a database, without doing it. */
import { existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { Problem } from '../core/problem.ts'
import { copyPath, MIGRATIONS, schemaOf } from './migrations.ts'

export type SchemaReport = {
  /** Of the database, and of this program. */
  readonly schema: number
  readonly known: number
  /** Where it would be kept as it is; absent where it stays as it is. */
  readonly copy?: string
  readonly bytes: number
  readonly free: number
}

/** @throws Problem where there is none; StartError for one that is newer, or not ours */
export function schemaReport(path: string): SchemaReport {
  if (!existsSync(path)) {
    throw new Problem(`there is no ${path}`, 'point TREFOIL_DATA_DIR at the data directory of the server')
  }
  const database = new Database(path, { readonly: true, timeout: 5000 })
  try {
    const schema = schemaOf(database)
    const { bavail, bsize } = statfsSync(dirname(path))
    const sizes = { bytes: statSync(path).size, free: bavail * bsize }
    const known = MIGRATIONS.length
    return { schema, known, ...(schema < known && { copy: copyPath(path, schema) }), ...sizes }
  } finally {
    database.close()
  }
}
