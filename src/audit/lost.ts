/** What a log has that a restored store does not know of. */
import type { KeyObject } from 'node:crypto'
import { type AuditFiles, NODE_FILES } from './files.ts'
import { followsMac, type Head, parseLine } from './format.ts'
import { listSegments, offsetBefore, readLines } from './lines.ts'

export type LostRecord = {
  readonly seq: number
  readonly time: number
  readonly operation: string
  readonly key?: string
  readonly version?: number
  readonly secret?: string
  readonly about?: string
  readonly outcome: string
}

/** Those after `head` that follow it, one by one; stops at the first that does not. */
export function* recordsAfter(
  directory: string,
  key: KeyObject,
  head: Head,
  files: AuditFiles = NODE_FILES,
): Generator<LostRecord> {
  let last = head
  for (const segment of listSegments(files, directory)) {
    const file = files.open(segment.path)
    try {
      for (const { bytes, complete } of readLines(file, offsetBefore(file, last.seq))) {
        const parsed = complete ? parseLine(bytes) : undefined
        if (parsed === undefined) return
        if (parsed.seq <= last.seq) continue
        if (parsed.seq !== last.seq + 1 || !followsMac(key, last.mac, parsed)) return
        last = { seq: parsed.seq, mac: parsed.mac }
        yield JSON.parse(Buffer.from(bytes).toString('utf8')) as LostRecord
      }
    } finally {
      file.close()
    }
  }
}

/** Operations that leave nothing behind. */
const USES =
  /^(Get|List|Sign|Verify|Encrypt|Decrypt|ReEncrypt|Raw|Wrap|Unwrap|Generate(Random|Mac|DataKey)|Derive|Encapsulate|Decapsulate|Check|CreateBackup|CompleteBackup)/

export const isChange = ({ operation, outcome }: LostRecord): boolean => outcome === 'ok' && !USES.test(operation)
