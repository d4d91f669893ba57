/**
 * One process per data directory. The lock is SQLite's own on an empty database beside the data: a kernel lock, gone
 * with the process however it ends, on every platform.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { StartError } from '../core/error.ts'

export type DirectoryLock = { release(): void }

const LOCK_FILE = 'trefoil.lock'
const PID_FILE = 'trefoil.pid'

/** Private from the start: SQLite would make it readable to all, and gives its side files the same mode. */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function holder(directory: string): string {
  try {
    const pid = readFileSync(join(directory, PID_FILE), 'utf8').trim()
    return /^\d{1,10}$/.test(pid) ? `process ${pid}` : 'another process'
  } catch {
    return 'another process'
  }
}

/** @throws StartError when another process has it, or the directory can't be written */
export function lockDirectory(directory: string): DirectoryLock {
  let database: Database.Database | undefined
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    createPrivateFile(join(directory, LOCK_FILE))
    database = new Database(join(directory, LOCK_FILE), { timeout: 0 })
    database.exec('BEGIN EXCLUSIVE')
    writeFileSync(join(directory, PID_FILE), `${process.pid}\n`, { mode: 0o600 })
  } catch (cause) {
    database?.close()
    if (cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY')) {
      throw new StartError(
        `the data directory ${directory} is in use by ${holder(directory)}: stop it, or give this one another directory`,
        { cause },
      )
    }
    throw new StartError(`the data directory ${directory} can't be used: ${(cause as Error).message}`, { cause })
  }
  const held = database
  return { release: () => held.close() }
}
