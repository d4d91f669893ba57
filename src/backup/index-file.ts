/** What a server keeps of a backup that it made, so that the next one may be an increment: digests, and no contents. */
import { createHmac, randomBytes } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { BUCKETS, bucketOf } from './format.ts'

const DIGEST_BYTES = 32
const TAIL_BYTES = 4096

/** How far a file that only grows was copied, and a digest of what stood last before there. */
export type FileMark = { readonly size: number; readonly tail: string }

export type BackupIndex = {
  readonly id: string
  /** SHA-256 of the backup's bytes, in hex. */
  readonly digest: string
  /** Of the digests here, in base64; increments go on with it. */
  readonly key: string
  /** Of each collection, its buckets' digests, in base64. */
  readonly buckets: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, FileMark>>
}

export const newIndexKey = (): string => randomBytes(32).toString('base64')

export const readIndex = (path: string): BackupIndex => JSON.parse(readFileSync(path, 'utf8')) as BackupIndex

/**
 * Digests of sets: each is the sum (exclusive or) of a keyed digest of every row in the bucket, so that rows may come in
 * any order. No two rows are the same, and nobody without the key finds rows that cancel out.
 */
export class BucketDigests {
  readonly #key: Buffer
  readonly #sums = Buffer.alloc(BUCKETS * DIGEST_BYTES)

  constructor(key: string) {
    this.#key = Buffer.from(key, 'base64')
  }

  add(id: string, revision: number, body: string): void {
    const digest = createHmac('sha256', this.#key)
      .update(JSON.stringify([id, revision]))
      .update(body)
      .digest()
    const at = bucketOf(id) * DIGEST_BYTES
    for (let byte = 0; byte < DIGEST_BYTES; byte++) {
      this.#sums[at + byte] = (this.#sums[at + byte] ?? 0) ^ (digest[byte] ?? 0)
    }
  }

  /** Numbers of the buckets that are not as they were. */
  changedSince(before: string | undefined): readonly number[] {
    const old = Buffer.from(before ?? '', 'base64')
    const changed: number[] = []
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const [from, to] = [bucket * DIGEST_BYTES, (bucket + 1) * DIGEST_BYTES]
      if (Buffer.compare(this.#sums.subarray(from, to), old.subarray(from, to)) !== 0) changed.push(bucket)
    }
    return changed
  }

  toString(): string {
    return this.#sums.toString('base64')
  }
}

function tailDigest(fd: number, size: number, key: string): string {
  const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES))
  const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length)
  return createHmac('sha256', Buffer.from(key, 'base64')).update(bytes.subarray(0, read)).digest('base64')
}

export function markOf(path: string, size: number, key: string): FileMark {
  const fd = openSync(path, 'r')
  try {
    return { size, tail: tailDigest(fd, size, key) }
  } finally {
    closeSync(fd)
  }
}

/** Where a file goes on from what was copied of it before; 0 where it is not what it was. */
export function resumeAt(path: string, before: FileMark | undefined, key: string): number {
  if (before === undefined) return 0
  const fd = openSync(path, 'r')
  try {
    return fstatSync(fd).size >= before.size && tailDigest(fd, before.size, key) === before.tail ? before.size : 0
  } finally {
    closeSync(fd)
  }
}
