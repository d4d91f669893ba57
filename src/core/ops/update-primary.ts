import { KmsError } from '../error.ts'
import { type Key, keyStateError } from '../key.ts'
import { checkPrimary, relativesOf, updateOf } from '../multi-region.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { RealmAddress } from '../reference.ts'
import type { KeyView } from '../view.ts'
import { unrevised } from './all-versions.ts'

/**
 * Makes the replica in another realm the primary of its set, and the primary a replica, in one step.
 * @throws KmsError not_primary, key_not_found where there is no replica, key_disabled and the other state errors
 */
export const updatePrimary = keyOperation<KeyInput & { readonly realm: RealmAddress }, KeyView>({
  name: 'UpdatePrimary',
  action: 'update-primary',
  states: ['enabled', 'pending_import'],
  async run(env, target, input) {
    const { key } = target
    if (key.multiRegion === undefined) throw new KmsError('not_primary')
    checkPrimary(key)
    const there = await env.elsewhere.ring(input.realm)
    const replica = (await relativesOf(env.store, key)).find(({ realmId }) => realmId === there.realm.id)
    if (replica === undefined) throw new KmsError('replica_not_found', { reference: key.multiRegion.id })
    await env.elsewhere.authorize('update-primary', { ...there, key: replica })
    if (replica.state !== 'enabled' && replica.state !== 'pending_import') throw keyStateError(replica.state)
    const { id } = key.multiRegion
    const old: Key = { ...unrevised(key), multiRegion: { id, role: 'replica' }, updatedAt: env.now }
    const primary: Key = { ...unrevised(replica), multiRegion: { id, role: 'primary' }, updatedAt: env.now }
    return { output: { ...target, key: old }, writes: [updateOf(old, key), updateOf(primary, replica)] }
  },
})
