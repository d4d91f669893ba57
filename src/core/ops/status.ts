import { realmOperation } from '../operation.ts'
import { type LastBackup, lastBackup } from './backups.ts'

/** How many of what there is. */
export type Counts = {
  readonly realms: number
  readonly rings: number
  readonly keys: number
  readonly versions: number
  readonly lastBackup?: LastBackup
}

export const getStatus = realmOperation<Record<string, never>, Counts>({
  name: 'GetStatus',
  action: 'get-status',
  async run({ store }) {
    const [realms, rings, keys, versions] = await Promise.all([
      store.count('realms', 'all', []),
      store.count('rings', 'all', []),
      store.count('keys', 'realm', []),
      store.count('versions', 'number', []),
    ])
    const last = await lastBackup(store)
    return { output: { realms, rings, keys, versions, ...(last && { lastBackup: last }) } }
  },
})
