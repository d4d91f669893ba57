/** Follows the log's files from any record on, in small pieces and without holding the event loop up. */
import { type FileHandle, open } from 'node:fs/promises'
import { type AuditFiles, NODE_FILES } from '../files.ts'
import { listSegments, offsetBefore, type Segment } from '../lines.ts'

const PIECE = 64 * 1024
const NEWLINE = 0x0a
const SEQ = /^\{"seq":([1-9]\d{0,15}),/

/** One record as it stands in the log. */
export type ExportLine = { readonly seq: number; readonly text: string }

/** Records that should be there and are not: their file was taken away. */
export class Missing extends Error {
  readonly count: number

  constructor(from: number, to: number) {
    super(`records ${from} to ${to} are not in the log any more`)
    this.count = to - from + 1
  }
}

type Place = { readonly segment: Segment; readonly handle: FileHandle; offset: number; rest: Buffer }

export class LogTail {
  readonly #directory: string
  readonly #files: AuditFiles
  #after: number
  #place: Place | undefined

  /** @param after the record to go on behind */
  constructor(directory: string, after: number, files: AuditFiles = NODE_FILES) {
    this.#directory = directory
    this.#after = after
    this.#files = files
  }

  async seek(after: number): Promise<void> {
    await this.close()
    this.#after = after
  }

  /**
   * What follows, at most a piece of it. Behind `last` may stand what is not durable, so nothing of that is read.
   * @throws Missing once for each gap; the next call goes on behind it
   */
  async read(last: number): Promise<readonly ExportLine[]> {
    while (this.#after < last) {
      this.#place ??= await this.#open()
      const lines = await this.#piece(this.#place, last)
      if (lines === undefined) await this.#nextFile(this.#place)
      else if (lines.length > 0) return lines
    }
    return []
  }

  async close(): Promise<void> {
    const place = this.#place
    this.#place = undefined
    await place?.handle.close()
  }

  async #open(): Promise<Place> {
    const segments = listSegments(this.#files, this.#directory)
    const segment = segments.findLast(({ first }) => first <= this.#after + 1) ?? segments[0]
    if (segment === undefined) throw new Error('the audit log has no files')
    this.#expect(segment.first)
    const file = this.#files.open(segment.path)
    const offset = offsetBefore(file, this.#after)
    file.close()
    return { segment, handle: await open(segment.path), offset, rest: Buffer.alloc(0) }
  }

  /** The record is durable, so that a later file has it. */
  async #nextFile({ segment }: Place): Promise<void> {
    const next = listSegments(this.#files, this.#directory).find(({ first }) => first > segment.first)
    if (next === undefined) throw new Error('the audit log ends before its last record')
    await this.close()
    this.#expect(next.first)
    this.#place = { segment: next, handle: await open(next.path), offset: 0, rest: Buffer.alloc(0) }
  }

  /** @throws Missing where records before this one were not read, and never will be */
  #expect(seq: number): void {
    const next = this.#after + 1
    if (seq <= next) return
    this.#after = seq - 1
    throw new Missing(next, seq - 1)
  }

  /** Undefined at the end of the file. */
  async #piece(place: Place, last: number): Promise<ExportLine[] | undefined> {
    const { buffer, bytesRead } = await place.handle.read(Buffer.allocUnsafe(PIECE), 0, PIECE, place.offset)
    if (bytesRead === 0) return undefined
    place.offset += bytesRead
    const bytes = Buffer.concat([place.rest, buffer.subarray(0, bytesRead)])
    const lines: ExportLine[] = []
    let from = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      const text = bytes.toString('utf8', from, end)
      const seq = Number(SEQ.exec(text)?.[1])
      if (seq > last) break
      from = end + 1
      if (seq !== this.#after + 1) continue
      lines.push({ seq, text })
      this.#after = seq
    }
    place.rest = Buffer.from(bytes.subarray(from))
    if (this.#after < last) return lines
    // What stands behind may be written anew after a failure, and so it is read anew.
    place.offset -= place.rest.length
    place.rest = Buffer.alloc(0)
    return lines
  }
}
