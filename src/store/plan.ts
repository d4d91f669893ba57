/** What every store checks of a batch of writes before it touches anything. */
import { KmsError } from '../core/error.ts'
import type { Write } from '../core/ports.ts'
import type { CollectionName } from '../core/schema.ts'
import { type AnyRow, type AnyStored, decodeRow, encodeRow } from './codec.ts'
import { type Entry, entriesOf } from './entries.ts'

export type Step = {
  readonly collection: CollectionName
  readonly id: string
  /** The revision that must be there; undefined: no row at all. */
  readonly expected: number | undefined
  readonly next: { readonly row: AnyStored; readonly body: string; readonly entries: readonly Entry[] } | undefined
}

function encodeNext(collection: CollectionName, row: AnyRow, revision: number): Step['next'] {
  const body = encodeRow(row)
  // Decoded from what was encoded: what a store hands out is the same before and after a restart.
  const stored = decodeRow(row.id, revision, body)
  return { row: stored, body, entries: entriesOf(collection, stored) }
}

function toStep(write: Write): Step {
  const { collection } = write
  if (write.kind === 'delete') return { collection, id: write.id, expected: write.revision, next: undefined }
  const { row } = write
  if (typeof row.id !== 'string' || row.id === '' || !row.id.isWellFormed())
    throw new TypeError('a row needs a well-formed id')
  if (write.kind === 'insert')
    return { collection, id: row.id, expected: undefined, next: encodeNext(collection, row, 1) }
  return { collection, id: row.id, expected: write.revision, next: encodeNext(collection, row, write.revision + 1) }
}

/** @throws KmsError `internal` for what no store could keep: the caller's mistake, not the store's state */
export function planCommit(writes: readonly Write[]): readonly Step[] {
  try {
    const steps = writes.map(toStep)
    const seen = new Set(steps.map((step) => `${step.collection}/${step.id}`))
    if (seen.size !== steps.length) throw new TypeError('one commit writes a row twice')
    return steps
  } catch (cause) {
    throw new KmsError('internal', {}, { cause })
  }
}
