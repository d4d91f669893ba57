/** What must not be in a restored store as it was when the backup was made. */
import { randomUUID } from 'node:crypto'
import { specRow } from './algorithm.ts'
import { rowsOf } from './all-rows.ts'
import { MAX_MESSAGES, type MessageCount } from './message-counter.ts'
import type { AuditRecord, Store, Stored, Write } from './ports.ts'

/** Of a version's messages, those that may have been made after the backup (docs/adr/024-message-counts-after-a-restore). */
export const MESSAGES_LOST = MAX_MESSAGES / 2
const BATCH = 500

const forwarded = (id: string, row: Stored<MessageCount> | undefined): Write => {
  const next = { id, reserved: Math.min(MAX_MESSAGES, (row?.reserved ?? 0) + MESSAGES_LOST) }
  return row === undefined
    ? { kind: 'insert', collection: 'messageCounts', row: next }
    : { kind: 'update', collection: 'messageCounts', row: next, revision: row.revision }
}

/**
 * Counts of messages never go back: every AES version that was there is taken to have made half of all it may since the
 * backup, so that the two lives of a version together stay within the limit.
 * @returns how many counts were put forward
 */
export async function forwardCounts(store: Store): Promise<number> {
  let count = 0
  let writes: Write[] = []
  const seen = new Set<string>()
  const flush = async (): Promise<void> => {
    await store.commit(writes)
    count += writes.length
    writes = []
  }
  for await (const version of rowsOf(store, 'versions', 'number')) {
    if (specRow(version.spec).type !== 'aes' || version.ref.length === 0) continue
    const key = await store.get('keys', version.keyId)
    if (key?.purpose !== 'raw_encrypt_decrypt') continue
    const id = version.shared?.versionId ?? version.id
    if (seen.has(id)) continue
    seen.add(id)
    writes.push(forwarded(id, await store.get('messageCounts', id)))
    if (writes.length >= BATCH) await flush()
  }
  await flush()
  return count
}

/** The next start chains it: the log says that from here on it is a restored one's. */
export const restoreRecord = (requestId: string): AuditRecord => ({
  id: randomUUID(),
  time: Date.now(),
  requestId,
  dialect: 'system',
  wire: 'restore',
  operation: 'RestoreBackup',
  action: 'restore-backup',
  principal: 'socket:',
  method: 'socket',
  decision: 'allow',
  outcome: 'ok',
  durationMs: 0,
})
