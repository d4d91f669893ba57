/** Reads backups back: a full one and its increments, applied to an empty directory one after the other. */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { closeSync, createReadStream, fsyncSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Problem } from '../core/problem.ts'
import { RestoreTables } from '../store/restore-tables.ts'
import { decrypted } from './age.ts'
import {
  AUDIT_FILE,
  bucketOf,
  CHECKPOINTS_FILE,
  ESCROW_FILE,
  FORMAT,
  type Line,
  MAX_LINE,
  type Manifest,
  SIGNATURE_LABEL,
} from './format.ts'

export type BackupSource = { readonly name: string; readonly path: string }

/** Where a backup's parts go. */
export type Target = {
  readonly directory: string
  readonly database: string
  readonly audit: string
  readonly checkpoints: string
  readonly escrow: string
}

export const targetIn = (directory: string): Target => ({
  directory,
  database: join(directory, 'trefoil.db'),
  audit: join(directory, 'audit'),
  checkpoints: join(directory, 'audit.checkpoints'),
  escrow: join(directory, 'root.escrow.json'),
})

const damaged = (name: string, what: string, cause?: unknown): Problem =>
  new Problem(`${name} is no whole backup: ${what}`, 'take another one, or the one before it', { cause })

async function* linesOf(name: string, plain: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  let size = 0
  for await (const chunk of plain) {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a)) {
      yield Buffer.concat([...pieces, bytes.subarray(0, end + 1)])
      pieces = []
      size = 0
      bytes = bytes.subarray(end + 1)
    }
    if (bytes.length === 0) continue
    pieces.push(Buffer.from(bytes))
    size += bytes.length
    if (size > MAX_LINE) throw damaged(name, 'a line of it has no end')
  }
  if (size > 0) throw damaged(name, 'its last line is cut short')
}

/** A file that is being brought back. */
class Part {
  readonly #fd: number

  constructor(path: string, offset: number) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#fd = openSync(path, 'a', 0o600)
    ftruncateSync(this.#fd, offset)
  }

  write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done)
  }

  close(): void {
    fsyncSync(this.#fd)
    closeSync(this.#fd)
  }
}

export type Applied = { readonly manifest: Manifest; readonly digest: string; readonly rows: number }

/** Applies one backup. */
class Reader {
  readonly #name: string
  readonly #target: Target
  readonly #before: Applied | undefined
  readonly #hash = createHash('sha256')
  #tables: RestoreTables | undefined
  #part: Part | undefined
  #manifest: Manifest | undefined
  #lines = 0
  #rows = 0
  #ended: string | undefined

  constructor(name: string, target: Target, before: Applied | undefined) {
    this.#name = name
    this.#target = target
    this.#before = before
  }

  take(bytes: Buffer): void {
    if (this.#ended !== undefined) throw damaged(this.#name, 'something follows its end')
    const line = this.#parse(bytes)
    if (line[0] === 'end') this.#end(line[1])
    else if (this.#manifest === undefined) this.#begin(line)
    else this.#apply(line)
    this.#hash.update(bytes)
    this.#lines += 1
  }

  #parse(bytes: Buffer): Line {
    try {
      const line: unknown = JSON.parse(bytes.toString('utf8'))
      if (Array.isArray(line)) return line as unknown as Line
    } catch (error) {
      throw damaged(this.#name, 'a line of it is no line of a backup', error)
    }
    throw damaged(this.#name, 'a line of it is no line of a backup')
  }

  #begin(line: Line): void {
    if (line[0] !== 'manifest') throw damaged(this.#name, 'it does not begin as one')
    const manifest = line[1]
    if (manifest.format !== FORMAT) {
      throw new Problem(
        `${this.#name} has format ${manifest.format}, which this version does not know`,
        'restore it with a newer trefoil',
      )
    }
    const { parent } = manifest
    if (parent?.id !== this.#before?.manifest.id) throw damaged(this.#name, 'it goes on from another backup')
    if (parent !== undefined && parent.digest !== this.#before?.digest) {
      throw damaged(this.#name, 'the backup that it goes on from is not as it was')
    }
    if (this.#before !== undefined && manifest.signer !== this.#before.manifest.signer) {
      throw damaged(this.#name, 'another installation wrote it')
    }
    this.#manifest = manifest
    this.#tables = new RestoreTables(this.#target.database, manifest.schema)
  }

  #apply(line: Line): void {
    if (line[0] === 'buckets') this.#tables?.empty(line[1], line[2], bucketOf)
    else if (line[0] === 'row') this.#put(line)
    else if (line[0] === 'file') this.#open(line[1], line[2])
    else if (line[0] === 'data') this.#part?.write(Buffer.from(line[1], 'base64'))
    else throw damaged(this.#name, 'it has a line of an unknown kind')
  }

  #put([, collection, id, revision, body]: Extract<Line, readonly ['row', ...unknown[]]>): void {
    this.#tables?.put(collection, id, revision, body)
    this.#rows += 1
  }

  #open(name: string, offset: number): void {
    this.#part?.close()
    this.#part = new Part(this.#pathOf(name), offset)
  }

  #pathOf(name: string): string {
    const [, segment] = AUDIT_FILE.exec(name) ?? []
    if (segment !== undefined) return join(this.#target.audit, segment)
    if (name === CHECKPOINTS_FILE) return this.#target.checkpoints
    if (name === ESCROW_FILE) return this.#target.escrow
    throw damaged(this.#name, 'it has a file of an unknown name')
  }

  #end({ lines, signature }: { readonly lines: number; readonly signature: string }): void {
    const digest = this.#hash.copy().digest()
    const key = { key: Buffer.from(this.#manifest?.signer ?? '', 'base64'), format: 'der', type: 'spki' } as const
    const signed = Buffer.concat([Buffer.from(SIGNATURE_LABEL), digest])
    if (lines !== this.#lines) throw damaged(this.#name, 'lines of it are missing')
    if (!verify(null, signed, createPublicKey(key), Buffer.from(signature, 'base64'))) {
      throw damaged(this.#name, 'its signature does not fit')
    }
    this.#ended = digest.toString('hex')
  }

  finish(): Applied {
    if (this.#ended === undefined || this.#manifest === undefined) throw damaged(this.#name, 'its end is missing')
    this.#part?.close()
    this.#part = undefined
    this.#tables?.finish()
    return { manifest: this.#manifest, digest: this.#ended, rows: this.#rows }
  }

  close(): void {
    this.#part?.close()
    this.#tables?.close()
  }
}

async function apply(source: BackupSource, identities: readonly string[], target: Target, before: Applied | undefined) {
  const reader = new Reader(source.name, target, before)
  try {
    const plain = decrypted(identities, source.name, createReadStream(source.path, { highWaterMark: 256 * 1024 }))
    for await (const line of linesOf(source.name, plain)) reader.take(line)
    return reader.finish()
  } catch (error) {
    throw error instanceof Problem ? error : damaged(source.name, (error as Error).message, error)
  } finally {
    reader.close()
  }
}

/** Reads no more than what tells which backup it is. @throws Problem */
export async function readManifest(source: BackupSource, identities: readonly string[]): Promise<Manifest> {
  const plain = decrypted(identities, source.name, createReadStream(source.path))
  for await (const line of linesOf(source.name, plain)) {
    const parsed = JSON.parse(line.toString('utf8')) as Line
    if (parsed[0] === 'manifest') return parsed[1]
    break
  }
  throw damaged(source.name, 'it does not begin as one')
}

/** @param sources the full backup first. @throws Problem; the directory is then good for nothing */
export async function applyBackups(
  sources: readonly BackupSource[],
  identities: readonly string[],
  target: Target,
): Promise<Applied> {
  let applied: Applied | undefined
  for (const source of sources) applied = await apply(source, identities, target, applied)
  if (applied === undefined) throw new Problem('there is no backup', 'name a file')
  return applied
}
