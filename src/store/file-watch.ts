/** Whether a database's files are still the ones that were opened. */
import { statSync } from 'node:fs'

const SIDE_FILES = ['-wal', '-shm'] as const

const inodeOf = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino

export class FileWatch {
  readonly #path: string
  readonly #inodes: ReadonlyMap<string, bigint | undefined>

  /** Of an open database, which has its side files by then. */
  constructor(path: string) {
    this.#path = path
    this.#inodes = new Map(['', ...SIDE_FILES].map((suffix) => [suffix, inodeOf(path + suffix)]))
  }

  #isThere(suffix: string): boolean {
    const known = this.#inodes.get(suffix)
    return known !== undefined && inodeOf(this.#path + suffix) === known
  }

  checkDatabase(): void {
    if (!this.#isThere('')) throw new Error(`${this.#path} was deleted or replaced while it was open`)
  }

  /** @returns the path of one that was deleted or replaced */
  lostSideFile(): string | undefined {
    const suffix = SIDE_FILES.find((candidate) => !this.#isThere(candidate))
    return suffix === undefined ? undefined : this.#path + suffix
  }
}
