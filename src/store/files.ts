/** Small files that are there whole and durable, or not at all. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** What is in a directory, and its own names; or a file alone. */
export function syncTree(path: string): void {
  if (!statSync(path).isDirectory()) {
    const fd = openSync(path, constants.O_RDWR)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    return
  }
  for (const name of readdirSync(path)) syncTree(join(path, name))
  syncDirectory(path)
}

/** Writes beside `path`, for its user only, and has `put` bring it there. */
function writeFile(path: string, content: Uint8Array, put: (temporary: string) => void): void {
  const directory = dirname(path)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(fd, content)
    fsyncSync(fd)
    put(temporary)
  } finally {
    closeSync(fd)
    rmSync(temporary, { force: true })
  }
  syncDirectory(directory)
}

/** An existing file wins and is left as it is. */
export const createFile = (path: string, content: Uint8Array): void =>
  writeFile(path, content, (temporary) => {
    try {
      // A link, not a rename: a rename would replace the key of a process that was faster.
      linkSync(temporary, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  })

export const replaceFile = (path: string, content: Uint8Array): void =>
  writeFile(path, content, (temporary) => renameSync(temporary, path))
