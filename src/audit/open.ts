/** Starting on a log that is there: finds its end, trusts nothing behind the last checkpoint, repairs what a crash left. */
import type { KeyObject } from 'node:crypto'
import { StartError } from '../core/error.ts'
import type { AuditFile, AuditFiles } from './files.ts'
import { type Checkpoint, followsMac, GENESIS, type Head, parseLine } from './format.ts'
import { type Line, listSegments, offsetBefore, readLines, type Segment } from './lines.ts'
import { SegmentWriter } from './segment-writer.ts'

export type Opened = {
  readonly head: Head
  readonly writer: SegmentWriter
  /** Bytes of an unfinished record that were cut off. */
  readonly cut: number
}

type Place = {
  readonly directory: string
  readonly files: AuditFiles
  readonly key: KeyObject
  readonly checkpoint: Checkpoint | undefined
}

const refuse = (message: string): StartError =>
  new StartError(
    `the audit log ${message}: run \`trefoil audit verify\` for the details, then restore the log and its checkpoints, or move both away to begin a new one`,
  )

export async function openChain(place: Place): Promise<Opened> {
  const { directory, files, checkpoint } = place
  files.makeDirectory(directory)
  const segments = listSegments(files, directory)
  const newest = segments.at(-1)
  if (newest === undefined) {
    if (checkpoint !== undefined) throw refuse(`in ${directory} is missing, though record ${checkpoint.seq} was signed`)
    return { head: GENESIS, writer: SegmentWriter.create(files, directory, GENESIS), cut: 0 }
  }
  const end = findEnd(place, segments)
  if (checkpoint !== undefined && end.head.seq < checkpoint.seq) {
    throw refuse(`in ${directory} ends with record ${end.head.seq}, though record ${checkpoint.seq} was signed`)
  }
  const file = files.open(newest.path)
  const cut = file.identity().size - end.length
  const writer = new SegmentWriter(files, newest.path, file, end.length)
  if (cut > 0) {
    await file.truncate(end.length)
    await file.sync()
  }
  return { head: end.head, writer, cut }
}

type End = { readonly head: Head /** Of the newest segment. */; readonly length: number }

/** Walks the chain from the last signed record to its end. */
function findEnd(place: Place, segments: readonly Segment[]): End {
  const from = place.checkpoint?.seq ?? 0
  const start = Math.max(
    0,
    segments.findLastIndex((segment) => segment.first <= from),
  )
  let head: Head | undefined
  let length = 0
  for (const segment of segments.slice(start)) {
    const file = place.files.open(segment.path)
    try {
      const walked = walk(place, segment, file, head, head === undefined ? from : 0)
      const isLast = segment === segments.at(-1)
      if (!isLast && walked.length !== file.identity().size)
        throw refuse(`is damaged in ${segment.path} at byte ${walked.length}`)
      head = walked.head ?? head
      length = walked.length
    } finally {
      file.close()
    }
  }
  return { head: head ?? GENESIS, length }
}

/** `head`: where the chain stood before, undefined when the walk starts in its middle. */
function walk(
  place: Place,
  segment: Segment,
  file: AuditFile,
  before: Head | undefined,
  from: number,
): { head: Head | undefined; length: number } {
  let head = before
  const start = offsetBefore(file, from)
  let length = start
  for (const line of readLines(file, start)) {
    if (isUnfinished(line)) break
    const parsed = parseLine(line.bytes)
    // In the middle of the chain the first record is only where the walk begins: the signed one after it vouches for it.
    const previous = head ?? (parsed?.prev === undefined ? undefined : { seq: parsed.seq - 1, mac: parsed.prev })
    const follows =
      parsed &&
      (previous === undefined || (parsed.seq === previous.seq + 1 && followsMac(place.key, previous.mac, parsed)))
    if (!follows)
      throw refuse(
        `is damaged in ${segment.path} at byte ${line.offset}, after record ${head?.seq ?? segment.first - 1}`,
      )
    if (parsed.seq === place.checkpoint?.seq && parsed.mac !== place.checkpoint.mac) {
      throw refuse(`has a record ${parsed.seq} in ${segment.path} that is not the one that was signed`)
    }
    head = { seq: parsed.seq, mac: parsed.mac }
    length = line.offset + line.bytes.length + 1
  }
  return { head, length }
}

/** What a crash leaves of records nobody was told of: half a line, or blocks that were never written, which read as zeros. */
const isUnfinished = (line: Line): boolean => !line.complete || line.bytes.includes(0)
