/** Backups of the whole installation: what makes them is outside of the core, which decides and records. */
import { realmOperation } from '../operation.ts'
import type { Store, Write } from '../ports.ts'

const LAST_BACKUP = 'last-backup'

export type LastBackup = { readonly id: string; readonly at: string; readonly bytes: number }

export async function lastBackup(store: Pick<Store, 'get'>): Promise<LastBackup | undefined> {
  const known = await store.get('meta', LAST_BACKUP)
  return typeof known?.value === 'string' ? (JSON.parse(known.value) as LastBackup) : undefined
}

export const createBackup = realmOperation<{ readonly since?: string | undefined }, void>({
  name: 'CreateBackup',
  action: 'create-backup',
  run: async () => ({ output: undefined }),
})

/** The file is where it belongs, whole and durable. */
export const completeBackup = realmOperation<LastBackup, LastBackup>({
  name: 'CompleteBackup',
  action: 'create-backup',
  async run({ store }, _target, input) {
    const known = await store.get('meta', LAST_BACKUP)
    const row = { id: LAST_BACKUP, value: JSON.stringify(input) }
    const write: Write =
      known === undefined
        ? { kind: 'insert', collection: 'meta', row }
        : { kind: 'update', collection: 'meta', row, revision: known.revision }
    return { output: input, writes: [write] }
  },
})
