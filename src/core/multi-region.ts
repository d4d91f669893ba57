/**
 * Keys of several realms with one id and one material (AWS multi-Region keys): one primary, and replicas that follow it.
 * What they share is written to all of them in one commit; the rest is each key's own.
 */
import { randomUUID } from 'node:crypto'
import { KmsError } from './error.ts'
import type { Key, KeyVersion, MultiRegion, Realm } from './key.ts'
import type { Store, Stored, Write } from './ports.ts'

/** AWS has far fewer Regions. */
const MAX_MEMBERS = 100

export const newMultiRegionId = (): string => `mrk-${randomUUID().replaceAll('-', '')}`

/** A key of a set, with the realm that it is in. */
export type Member = { readonly realm: Realm; readonly key: Key }

type Shared =
  | 'spec'
  | 'algorithms'
  | 'template'
  | 'current'
  | 'versionCounter'
  | 'rotation'
  | 'nextRotationAt'
  | 'rotationsOnDemand'
  | 'pendingVersion'

/** @throws KmsError not_primary for a replica, whose material and rotation are its primary's */
export function checkPrimary({ multiRegion }: Key): void {
  if (multiRegion?.role === 'replica') throw new KmsError('not_primary')
}

/** The other keys of the set. */
export async function relativesOf(store: Store, { id, multiRegion }: Key): Promise<readonly Stored<Key>[]> {
  if (multiRegion === undefined) return []
  const { rows } = await store.page('keys', 'multiRegion', [multiRegion.id], undefined, MAX_MEMBERS)
  return rows.filter((row) => row.id !== id)
}

/** The whole set, `key` as it is given. */
export async function membersOf(store: Store, realm: Realm, key: Key): Promise<readonly Member[]> {
  const members: Member[] = [{ realm, key }]
  for (const relative of await relativesOf(store, key)) {
    const home = await store.get('realms', relative.realmId)
    if (home !== undefined) members.push({ realm: home, key: relative })
  }
  return members
}

/** What follows the primary. */
export function sharedFacts(primary: Key): Pick<Key, Shared> {
  const { spec, algorithms, template, current, versionCounter } = primary
  const { rotation, nextRotationAt, rotationsOnDemand, pendingVersion } = primary
  return {
    ...{ spec, current, versionCounter },
    ...(algorithms && { algorithms }),
    ...(template && { template }),
    ...(rotation && { rotation }),
    ...(nextRotationAt !== undefined && { nextRotationAt }),
    ...(rotationsOnDemand !== undefined && { rotationsOnDemand }),
    ...(pendingVersion !== undefined && { pendingVersion }),
  }
}

/** A replica as its primary has become. */
export function following(replica: Key, primary: Key): Key {
  const { algorithms: _, template: __, rotation: ___, ...rest } = replica
  const { nextRotationAt: ____, rotationsOnDemand: _____, pendingVersion: ______, ...own } = rest
  return { ...own, ...sharedFacts(primary), updatedAt: primary.updatedAt }
}

export const updateOf = (row: Key, { revision }: Stored<Key>): Write => ({
  kind: 'update',
  collection: 'keys',
  row,
  revision,
})

/** Writes that carry the shared facts of a primary to its replicas; none for any other key. */
export async function followers(store: Store, primary: Key): Promise<readonly Write[]> {
  const replicas = await relativesOf(store, primary)
  return replicas.map(({ revision, ...replica }) => updateOf(following(replica, primary), { ...replica, revision }))
}

/** The deletion that waited for the last replica begins. */
function beginDeletion({ deletionPlan: plan, ...key }: Key, now: number): Key {
  if (plan === undefined) return key
  const { delay, ...deletion } = plan
  return { ...key, state: 'pending_deletion', deletion: { ...deletion, dueAt: now + delay }, updatedAt: now }
}

/** What the end of a replica means for its primary, which is written even if it stays as it is: replicas that go together are rivals. */
export async function replicaGone(store: Store, key: Key, now: number): Promise<readonly Write[]> {
  if (key.multiRegion?.role !== 'replica') return []
  const relatives = await relativesOf(store, key)
  const primary = relatives.find(({ multiRegion }) => multiRegion?.role === 'primary')
  if (primary === undefined) return []
  const { revision: _, ...row } = primary
  return [updateOf(relatives.length === 1 ? beginDeletion(row, now) : row, primary)]
}

/** Versions of a primary's new material for its replicas, and the replicas as they follow it. */
export async function replicated(store: Store, primary: Key, made: KeyVersion): Promise<readonly Write[]> {
  const replicas = await relativesOf(store, primary)
  const copies = replicas.map(
    (replica): Write => ({
      kind: 'insert',
      collection: 'versions',
      row: copyFor(replica, made, primary.ringId),
    }),
  )
  return [...copies, ...(await followers(store, primary))]
}

/** The version under which a ciphertext names the material, whichever key of the set made it. */
const originOf = ({ id, shared }: KeyVersion): string => shared?.versionId ?? id

/**
 * A replica's version of its primary's. Generated material is the very same, sealed where it was made; imported material
 * is brought to each key by itself.
 */
export function copyFor(replica: Pick<Key, 'id' | 'realmId' | 'ringId' | 'origin'>, version: KeyVersion, ring: string) {
  const { imported, ...rest } = version
  const copy = { ...rest, id: randomUUID(), keyId: replica.id }
  const shared = { versionId: originOf(version), realmId: replica.realmId }
  if (replica.origin !== 'imported') return { ...copy, shared: { ...shared, ringId: version.shared?.ringId ?? ring } }
  const awaited: KeyVersion = {
    ...copy,
    state: version.state === 'destroyed' ? 'destroyed' : 'pending_import',
    ref: new Uint8Array(0),
    shared: { ...shared, ringId: replica.ringId },
    ...(imported && { imported: { description: imported.description } }),
  }
  return awaited
}

/** Whether another key of the set holds the same material; undefined: none does. */
export async function otherHolder(store: Store, version: KeyVersion): Promise<Stored<KeyVersion> | undefined> {
  const origin = originOf(version)
  const { rows } = await store.page('versions', 'shared', [origin], undefined, MAX_MEMBERS)
  const first = await store.get('versions', origin)
  const copies = first === undefined ? rows : [first, ...rows]
  return copies.find(({ id, ref }) => id !== version.id && ref.length > 0 && Buffer.compare(ref, version.ref) === 0)
}

export const asReplica = (multiRegion: MultiRegion): MultiRegion => ({ ...multiRegion, role: 'replica' })
