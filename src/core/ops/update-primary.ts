import { KmsError } from '../error.ts'
import { type Key, keyStateError, type MultiRegion, toKeyState } from '../key.ts'
import { checkPrimary, relativesOf, updateOf } from '../multi-region.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { Stored } from '../ports.ts'
import type { RealmAddress } from '../reference.ts'
import type { KeyView } from '../view.ts'
import { unrevised } from './all-versions.ts'

/** In its new role, which it takes up in some time. */
function updating(key: Stored<Key>, multiRegion: MultiRegion, now: number): Key {
  const to = key.state === 'pending_import' ? key.state : 'enabled'
  return { ...toKeyState(unrevised(key), 'updating', now), multiRegion, settling: { to, since: now } }
}

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
    const old = updating(key, { id, role: 'replica' }, env.now)
    const primary = updating(replica, { id, role: 'primary' }, env.now)
    return { output: { ...target, key: old }, writes: [updateOf(old, key), updateOf(primary, replica)] }
  },
})
