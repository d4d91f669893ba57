import type { Realm } from '../key.ts'
import { type RealmTarget, realmOperation } from '../operation.ts'
import type { Paging } from './list-keys.ts'

export const getRealm = realmOperation<Record<string, never>, RealmTarget>({
  name: 'GetRealm',
  action: 'get-realm',
  run: async (_env, target) => ({ output: target }),
})

export type RealmList = { readonly realms: readonly Realm[]; readonly next?: string }

/** All of them, for the administrator. */
export const listRealms = realmOperation<Paging, RealmList>({
  name: 'ListRealms',
  action: 'list-realms',
  async run({ store }, _target, { after, limit }) {
    const { rows, next } = await store.page('realms', 'all', [], after, limit)
    return { output: { realms: rows, ...(next !== undefined && { next }) } }
  },
})

/** The locations of one GCP project, by name. */
export const listLocations = realmOperation<Paging & { readonly project: string }, RealmList>({
  name: 'ListLocations',
  action: 'list-realms',
  async run({ store }, _target, { project, after, limit }) {
    const { rows, next } = await store.page('realms', 'gcp', [project], after, limit)
    return { output: { realms: rows, ...(next !== undefined && { next }) } }
  },
})
