import { randomUUID } from 'node:crypto'
import { allRows } from '../all-rows.ts'
import { KmsError } from '../error.ts'
import { handleOf, type Key, type KeyRing, type KeyVersion, type Tombstone } from '../key.ts'
import { otherHolder, replicaGone } from '../multi-region.ts'
import { type Env, type KeyInput, type KeyTarget, keyOperation, type Outcome } from '../operation.ts'
import type { Stored, Write } from '../ports.ts'
import { allVersions, unrevised } from './all-versions.ts'

export type PurgeOutput = {
  readonly key: Key /** False: the key waits until its deletion is due elsewhere. */
  readonly purged: boolean
}

/**
 * Idempotent, so that a purge that was killed half-way is done again. Material that another key of its set holds stays
 * for that one; the writes make rivals of keys that let go of it at the same time, so that the last of them destroys it.
 */
export async function destroyMaterial(
  env: Env,
  ring: Pick<KeyRing, 'id'>,
  version: KeyVersion,
): Promise<readonly Write[]> {
  if (version.ref.length === 0) return []
  const holder = await otherHolder(env.store, version)
  if (holder !== undefined) {
    return [{ kind: 'update', collection: 'versions', row: unrevised(holder), revision: holder.revision }]
  }
  await env.backends.named(version.backend).destroyKey(handleOf(ring, version), env.call)
  return []
}

/** Of rows that belong to the key. */
const removeAll =
  (collection: 'aliases' | 'grants') =>
  async (env: Env, keyId: string): Promise<readonly Write[]> => {
    const rows = await allRows(env.store, collection, 'key', [keyId])
    return rows.map(({ id, revision }) => ({ kind: 'delete', collection, id, revision }))
  }
export const removeAliases = removeAll('aliases')
export const removeGrants = removeAll('grants')

export async function removeLastUse(env: Env, keyId: string): Promise<readonly Write[]> {
  const row = await env.store.get('lastUses', keyId)
  return row === undefined ? [] : [{ kind: 'delete', collection: 'lastUses', id: keyId, revision: row.revision }]
}

/** Google's policy of the key. */
export async function removePolicy(env: Env, keyId: string): Promise<readonly Write[]> {
  const row = await env.store.get('iamPolicies', keyId)
  return row === undefined ? [] : [{ kind: 'delete', collection: 'iamPolicies', id: keyId, revision: row.revision }]
}

export async function removeCounts(env: Env, versions: readonly KeyVersion[]): Promise<readonly Write[]> {
  const writes: Write[] = []
  for (const { id } of versions) {
    const row = await env.store.get('messageCounts', id)
    if (row !== undefined) writes.push({ kind: 'delete', collection: 'messageCounts', id, revision: row.revision })
  }
  return writes
}

/** What a purged key leaves behind: its version counter. A key that had no name of its own leaves nothing. */
function tombstoneOf(env: Env, key: Key): readonly Write[] {
  if (key.name === key.id) return []
  const row: Tombstone = {
    id: randomUUID(),
    ringId: key.ringId,
    name: key.name,
    versionCounter: key.versionCounter,
    retired: false,
    purgedAt: env.now,
  }
  return [{ kind: 'insert', collection: 'tombstones', row }]
}

async function purge(env: Env, target: KeyTarget): Promise<Outcome<PurgeOutput>> {
  const { key, ring } = target
  const versions = await allVersions(env, key.id)
  const released: Write[] = []
  for (const version of versions) released.push(...(await destroyMaterial(env, ring, version)))
  const remove = (version: Stored<KeyVersion>): Write => ({
    kind: 'delete',
    collection: 'versions',
    id: version.id,
    revision: version.revision,
  })
  const lastUse = await removeLastUse(env, key.id)
  return {
    output: { key, purged: true },
    writes: [
      { kind: 'delete', collection: 'keys', id: key.id, revision: key.revision },
      ...versions.map(remove),
      ...released,
      ...(await replicaGone(env.store, key, env.now)),
      ...(await removeAliases(env, key.id)),
      ...(await removeGrants(env, key.id)),
      ...lastUse,
      ...(await removePolicy(env, key.id)),
      ...(await removeCounts(env, versions)),
      ...tombstoneOf(env, key),
    ],
  }
}

/**
 * Azure's purge. A key whose deletion another dialect asked for waits until that is due (design section 1).
 * @throws KmsError key_not_pending_deletion, purge_protected
 */
export const purgeKey = keyOperation<KeyInput, PurgeOutput>({
  name: 'PurgeKey',
  action: 'purge-key',
  async run(env, target) {
    const { deletion } = target.key
    if (deletion === undefined) throw new KmsError('key_not_pending_deletion')
    if (env.ringSettings(target.ring).purgeProtected) throw new KmsError('purge_protected')
    if (deletion.by !== env.call.dialect && deletion.dueAt > env.now) {
      return { output: { key: target.key, purged: false } }
    }
    return purge(env, target)
  },
})

/** The clock's own purge, when a deletion has fallen due. */
export const purgeDueKey = keyOperation<KeyInput, PurgeOutput>({
  name: 'PurgeDueKey',
  action: 'purge-key',
  async run(env, target) {
    const { deletion } = target.key
    if (deletion === undefined || deletion.dueAt > env.now) return { output: { key: target.key, purged: false } }
    return purge(env, target)
  },
})
