/** Checks a whole log, record by record, and names the first that is not as it was written. */
import type { KeyObject } from 'node:crypto'
import { readCheckpoints } from './checkpoints.ts'
import { type AuditFiles, NODE_FILES } from './files.ts'
import { type Checkpoint, followsMac, GENESIS, type Head, parseLine } from './format.ts'
import { type Line, listSegments, readLines, type Segment } from './lines.ts'

export type VerifyOptions = {
  readonly directory: string
  readonly checkpoints: string
  /** HMAC key of the chain. */
  readonly key: KeyObject
  /** Ed25519 public key of the checkpoints. */
  readonly publicKey: KeyObject
  readonly files?: AuditFiles
}
export type AuditVerdict =
  | {
      readonly ok: true
      readonly records: number
      readonly checkpoints: number /** The last record. */
      readonly head: Head
    }
  | { readonly ok: false; readonly problem: string }

class Broken extends Error {}

/** Signed statements by record number. */
function loadCheckpoints(
  { checkpoints, publicKey }: VerifyOptions,
  files: AuditFiles,
): ReadonlyMap<number, Checkpoint> {
  const signed = new Map<number, Checkpoint>()
  if (files.identify(checkpoints) === undefined) return signed
  const file = files.open(checkpoints)
  let last = 0
  try {
    for (const { checkpoint, complete, offset } of readCheckpoints(file, publicKey)) {
      if (!complete) break
      if (checkpoint === undefined)
        throw new Broken(`the checkpoint at byte ${offset} of ${checkpoints} is not signed by this installation`)
      if (checkpoint.seq <= last)
        throw new Broken(
          `the checkpoint at byte ${offset} of ${checkpoints} is out of its order: it follows that of record ${last}`,
        )
      last = checkpoint.seq
      signed.set(checkpoint.seq, checkpoint)
    }
  } finally {
    file.close()
  }
  return signed
}

function checkLine(key: KeyObject, head: Head, line: Line, segment: Segment): Head {
  const where = `in ${segment.path} at byte ${line.offset}`
  const parsed = parseLine(line.bytes)
  if (parsed === undefined || !line.complete) throw new Broken(`record ${head.seq + 1} ${where} is damaged`)
  if (parsed.seq > head.seq + 1)
    throw new Broken(`record ${head.seq + 1} is missing ${where}: record ${parsed.seq} follows record ${head.seq}`)
  if (parsed.seq <= head.seq)
    throw new Broken(`record ${parsed.seq} ${where} is out of its order: it follows record ${head.seq}`)
  if (!followsMac(key, head.mac, parsed))
    throw new Broken(`record ${parsed.seq} ${where} was changed, or does not follow record ${head.seq}`)
  return { seq: parsed.seq, mac: parsed.mac }
}

function walk(options: VerifyOptions, files: AuditFiles, signed: ReadonlyMap<number, Checkpoint>): Head {
  let head: Head = GENESIS
  const segments = listSegments(files, options.directory)
  for (const segment of segments) {
    if (segment.first !== head.seq + 1)
      throw new Broken(`record ${head.seq + 1} is missing: ${segment.path} begins with record ${segment.first}`)
    const file = files.open(segment.path)
    try {
      for (const line of readLines(file)) {
        // Half a record at the very end is what a crash leaves of one nobody was told of; the next start cuts it off.
        if (!line.complete && segment === segments.at(-1)) break
        head = checkLine(options.key, head, line, segment)
        const checkpoint = signed.get(head.seq)
        if (checkpoint !== undefined && checkpoint.mac !== head.mac)
          throw new Broken(`record ${head.seq} is not the one that was signed: the log was written anew`)
      }
    } finally {
      file.close()
    }
  }
  return head
}

export function verifyAudit(options: VerifyOptions): AuditVerdict {
  const files = options.files ?? NODE_FILES
  try {
    const signed = loadCheckpoints(options, files)
    const head = walk(options, files, signed)
    const last = Math.max(0, ...signed.keys())
    if (last > head.seq)
      throw new Broken(`record ${head.seq + 1} is missing: the log was cut short, record ${last} was signed`)
    return { ok: true, records: head.seq, checkpoints: signed.size, head }
  } catch (error) {
    if (error instanceof Broken) return { ok: false, problem: error.message }
    throw error
  }
}
