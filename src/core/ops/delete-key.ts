import { KmsError } from '../error.ts'
import type { Tombstone } from '../key.ts'
import { relativesOf, replicaGone } from '../multi-region.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import { checkKeyStays } from './destroy-version.ts'
import { removeAliases, removeGrants, removeLastUse, removePolicy } from './purge-key.ts'

/**
 * GCP's deletion of a key whose versions are deleted already. Its name is retired: no dialect can use it again.
 * @throws KmsError key_has_versions, key_pending_deletion
 */
export const deleteKey = keyOperation<KeyInput, { readonly tombstone: Tombstone }>({
  name: 'DeleteKey',
  action: 'delete-key',
  async run(env, target) {
    checkKeyStays(target)
    const { id, ringId, name, versionCounter, revision } = target.key
    if ((await env.store.count('versions', 'number', [id])) > 0) throw new KmsError('key_has_versions')
    const leads = target.key.multiRegion?.role === 'primary' && (await relativesOf(env.store, target.key)).length > 0
    // Its replicas have versions of theirs.
    if (leads) throw new KmsError('key_has_versions')
    const tombstone: Tombstone = { id, ringId, name, versionCounter, retired: true, purgedAt: env.now }
    return {
      output: { tombstone },
      writes: [
        { kind: 'delete', collection: 'keys', id, revision },
        { kind: 'insert', collection: 'tombstones', row: tombstone },
        ...(await removeAliases(env, id)),
        ...(await removeGrants(env, id)),
        ...(await removeLastUse(env, id)),
        ...(await removePolicy(env, id)),
        ...(await replicaGone(env.store, target.key, env.now)),
      ],
    }
  },
})
