/** What the log needs of a file system, small enough to put faults into. */
import {
  closeSync,
  existsSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncate,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  write,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

export type FileIdentity = { readonly inode: bigint; readonly size: number }

export interface AuditFile {
  /** `write` and `sync`; `bytes` must not change until it is settled. */
  append(bytes: Uint8Array, position: number): Promise<void>
  /** All of `bytes`, at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Resolves when what was written, and the file's length, survive a power failure. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  /** At most `length` bytes; fewer at the end only. */
  read(position: number, length: number): Uint8Array
  identity(): FileIdentity
  close(): void
}

export interface AuditFiles {
  /** For reading and writing. */
  open(path: string): AuditFile
  /** A new file, whose name survives a power failure. Rejects if there is one. */
  create(path: string): AuditFile
  /** Undefined: no such file. */
  identify(path: string): FileIdentity | undefined
  /** Made, private, when missing. */
  makeDirectory(path: string): void
  list(directory: string): readonly string[]
}

const writeAt = promisify(write)
const truncateTo = promisify(ftruncate)
const syncData = promisify(fdatasync)

/** Writes all of the bytes and makes them durable in one call, where there is such a call. */
export type DurableWrite = (fd: number, bytes: Uint8Array, position: number) => Promise<void>

class NodeFile implements AuditFile {
  readonly #fd: number
  readonly #durably: DurableWrite | undefined

  constructor(fd: number, durably: DurableWrite | undefined) {
    this.#fd = fd
    this.#durably = durably
  }

  async append(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#durably !== undefined) return this.#durably(this.#fd, bytes, position)
    await this.write(bytes, position)
    await this.sync()
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await writeAt(this.#fd, bytes, done, bytes.length - done, position + done)
      done += bytesWritten
    }
  }

  sync(): Promise<void> {
    return syncData(this.#fd)
  }

  truncate(length: number): Promise<void> {
    return truncateTo(this.#fd, length)
  }

  read(position: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const count = readSync(this.#fd, bytes, done, length - done, position + done)
      if (count === 0) break
      done += count
    }
    return bytes.subarray(0, done)
  }

  identity(): FileIdentity {
    const { ino, size } = fstatSync(this.#fd, { bigint: true })
    return { inode: ino, size: Number(size) }
  }

  close(): void {
    closeSync(this.#fd)
  }
}

function syncDirectoryOf(path: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(dirname(path), 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

export const nodeFiles = (durably?: DurableWrite): AuditFiles => ({
  open: (path) => new NodeFile(openSync(path, 'r+'), durably),
  create: (path) => {
    const fd = openSync(path, 'wx+', 0o600)
    try {
      syncDirectoryOf(path)
    } catch (error) {
      closeSync(fd)
      unlinkSync(path)
      throw error
    }
    return new NodeFile(fd, durably)
  },
  identify: (path) => {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    return found && { inode: found.ino, size: Number(found.size) }
  },
  makeDirectory: (path) => {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  },
  list: (directory) => (existsSync(directory) ? readdirSync(directory) : []),
})

export const NODE_FILES: AuditFiles = nodeFiles()
