/** Reading a log's files: forwards line by line, backwards by pieces. */
import { join } from 'node:path'
import type { AuditFile, AuditFiles } from './files.ts'
import { MAX_LINE, parseLine } from './format.ts'

const PIECE = 1024 * 1024
const NEWLINE = 0x0a

export type Line = {
  readonly bytes: Uint8Array
  /** Where it starts in its file. */
  readonly offset: number
  /** False for what stands after the last newline. */
  readonly complete: boolean
}

/** From `start`, which is the start of a line. */
export function* readLines(file: AuditFile, start = 0): Generator<Line> {
  let rest: Uint8Array = new Uint8Array(0)
  let offset = start
  let position = start
  for (;;) {
    const piece = file.read(position, PIECE)
    position += piece.length
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let from = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      yield { bytes: bytes.subarray(from, end), offset: offset + from, complete: true }
      from = end + 1
    }
    rest = bytes.subarray(from)
    offset += from
    // What is longer is no line of ours; it is handed out so that memory stays bounded.
    if (piece.length === 0 || rest.length > MAX_LINE + PIECE) break
  }
  if (rest.length > 0) yield { bytes: rest, offset, complete: false }
}

/** Pieces from the end to the start; each overlaps the next one by a line, so that none is cut in both. */
export function* readBackwards(
  file: AuditFile,
  end: number,
): Generator<{ readonly bytes: Uint8Array; readonly offset: number }> {
  for (let upper = end; upper > 0; ) {
    const lower = Math.max(0, upper - PIECE)
    yield { bytes: file.read(lower, Math.min(end, upper + MAX_LINE) - lower), offset: lower }
    upper = lower
  }
}

/** Start of a line near the end of the file that has this record or an earlier one; 0 when in doubt. */
export function offsetBefore(file: AuditFile, seq: number): number {
  for (const { bytes, offset } of readBackwards(file, file.identity().size)) {
    if (offset === 0) break
    const start = bytes.indexOf(NEWLINE) + 1
    const end = bytes.indexOf(NEWLINE, start)
    const line = start > 0 && end !== -1 ? parseLine(bytes.subarray(start, end)) : undefined
    if (line !== undefined && line.seq <= seq) return offset + start
  }
  return 0
}

const SEGMENT = /^(\d{16})\.ndjson$/

/** One file of the log, named by the number of its first record. */
export type Segment = { readonly path: string; readonly first: number }

export const segmentPath = (directory: string, first: number): string =>
  join(directory, `${String(first).padStart(16, '0')}.ndjson`)

/** In the order of their records. */
export function listSegments(files: AuditFiles, directory: string): readonly Segment[] {
  const names = files.list(directory).filter((name) => SEGMENT.test(name))
  return names.sort().map((name) => ({ path: join(directory, name), first: Number(name.slice(0, 16)) }))
}
