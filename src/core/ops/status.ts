import { realmOperation } from '../operation.ts'

/** How many of what there is. */
export type Counts = {
  readonly realms: number
  readonly rings: number
  readonly keys: number
  readonly versions: number
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
    return { output: { realms, rings, keys, versions } }
  },
})
