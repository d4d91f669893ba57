/** Makes a backup's lines: of a database that goes on being written, and of the files beside it. */
import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Snapshot } from '../store/snapshot.ts'
import { bucketOf, CHECKPOINTS_FILE, ESCROW_FILE, type Line, type Manifest, SIGNATURE_LABEL } from './format.ts'
import { type BackupIndex, BucketDigests, type FileMark, markOf, newIndexKey, resumeAt } from './index-file.ts'

export type BackupJob = {
  readonly database: string
  readonly audit: string
  readonly checkpoints: string
  /** The copies of a root key that lies in a token. */
  readonly escrow?: string
  readonly manifest: Omit<Manifest, 'schema' | 'parent'>
  /** PKCS#8 DER. */
  readonly signer: Uint8Array
  /** Makes it an increment. */
  readonly parent?: BackupIndex
}

const CHUNK = 256 * 1024
const DATA = 48 * 1024
const NEWLINE = 0x0a

/** The lines as bytes, with their number and their digest. */
class Lines {
  readonly #hash = createHash('sha256')
  #count = 0
  #text: string[] = []
  #size = 0

  /** @returns whether enough is there to be taken */
  add(line: Line): boolean {
    const text = `${JSON.stringify(line)}\n`
    this.#text.push(text)
    this.#size += text.length
    this.#count += 1
    return this.#size >= CHUNK
  }

  take(): Buffer {
    const bytes = Buffer.from(this.#text.join(''))
    this.#hash.update(bytes)
    this.#text = []
    this.#size = 0
    return bytes
  }

  /** Of all that was taken. */
  end(signer: KeyObject): { readonly line: Buffer; readonly digest: string } {
    const digest = this.#hash.digest()
    const signature = sign(null, Buffer.concat([Buffer.from(SIGNATURE_LABEL), digest]), signer).toString('base64')
    const line: Line = ['end', { lines: this.#count, signature }]
    return { line: Buffer.from(`${JSON.stringify(line)}\n`), digest: digest.toString('hex') }
  }
}

function* rowLines(snapshot: Snapshot, job: BackupJob, key: string, into: Record<string, string>): Generator<Line> {
  for (const collection of snapshot.collections) {
    const digests = new BucketDigests(key)
    for (const { id, revision, body } of snapshot.rows(collection)) digests.add(id, revision, body)
    into[collection] = digests.toString()
    const changed = job.parent && new Set(digests.changedSince(job.parent.buckets[collection]))
    if (changed?.size === 0) continue
    if (changed !== undefined) yield ['buckets', collection, [...changed]]
    for (const { id, revision, body } of snapshot.rows(collection)) {
      if (changed === undefined || changed.has(bucketOf(id))) yield ['row', collection, id, revision, body]
    }
  }
}

/** What the file has up to the end of its last whole line, from `offset`. */
function* dataLines(path: string, offset: number, ended: (size: number) => void): Generator<Line> {
  const fd = openSync(path, 'r')
  try {
    let position = offset
    let rest = Buffer.alloc(0)
    for (;;) {
      const piece = Buffer.alloc(DATA)
      const read = readSync(fd, piece, 0, DATA, position + rest.length)
      if (read === 0) break
      const bytes = Buffer.concat([rest, piece.subarray(0, read)])
      const end = bytes.lastIndexOf(NEWLINE) + 1
      rest = bytes.subarray(end)
      if (end > 0) yield ['data', bytes.subarray(0, end).toString('base64')]
      position += end
    }
    ended(position)
  } finally {
    closeSync(fd)
  }
}

type NamedFile = { readonly name: string; readonly path: string }

/** Checkpoints before the records that they stand for: a log may be ahead of its checkpoints, and not the other way round. */
function filesOf({ audit, checkpoints, escrow }: BackupJob): readonly NamedFile[] {
  const segments = (existsSync(audit) ? readdirSync(audit) : []).filter((name) => /^\d{16}\.ndjson$/.test(name)).sort()
  const files = [
    { name: CHECKPOINTS_FILE, path: checkpoints },
    ...segments.map((name) => ({ name: `audit/${name}`, path: join(audit, name) })),
    ...(escrow === undefined ? [] : [{ name: ESCROW_FILE, path: escrow }]),
  ]
  return files.filter(({ path }) => existsSync(path))
}

function* fileLines(job: BackupJob, key: string, into: Record<string, FileMark>): Generator<Line> {
  for (const { name, path } of filesOf(job)) {
    const offset = name === ESCROW_FILE ? 0 : resumeAt(path, job.parent?.files[name], key)
    yield ['file', name, offset]
    let size = offset
    yield* dataLines(path, offset, (end) => {
      size = end
    })
    into[name] = markOf(path, size, key)
  }
}

/** @param finished told of what the next increment needs, once all lines are out */
export function* backupLines(job: BackupJob, finished: (index: BackupIndex) => void): Generator<Buffer> {
  const lines = new Lines()
  const key = job.parent?.key ?? newIndexKey()
  const buckets: Record<string, string> = {}
  const files: Record<string, FileMark> = {}
  const snapshot = new Snapshot(job.database)
  try {
    const parent = job.parent && { id: job.parent.id, digest: job.parent.digest }
    lines.add(['manifest', { ...job.manifest, schema: snapshot.schema, ...(parent && { parent }) }])
    for (const line of fileLines(job, key, files)) if (lines.add(line)) yield lines.take()
    for (const line of rowLines(snapshot, job, key, buckets)) if (lines.add(line)) yield lines.take()
  } finally {
    snapshot.close()
  }
  yield lines.take()
  const { line, digest } = lines.end(createPrivateKey({ key: Buffer.from(job.signer), format: 'der', type: 'pkcs8' }))
  yield line
  finished({ id: job.manifest.id, digest, key, buckets, files })
}
