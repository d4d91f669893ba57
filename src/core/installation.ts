/** What an installation has once: its built-in realm and the secrets it keeps sealed in its own store. */
import { rowsOf } from './all-rows.ts'
import { KmsError } from './error.ts'
import { handleOf, type KeyVersion, type Realm } from './key.ts'
import type { CallContext, CryptoBackend, Sealer, Store, Stored, Write } from './ports.ts'
import { newRealm, type RealmPlan } from './provision.ts'
import { BUILT_IN_REALM } from './resolver.ts'
import type { CollectionName, IndexName } from './schema.ts'
import { metaContext } from './seal.ts'

/** Of whoever names none. */
export const DEFAULT_TENANT = '00000000-0000-0000-0000-000000000001'

/** Azure's tenant can be another one as long as no role is assigned in the one before. */
async function withTenant(store: Store, realm: Stored<Realm>, { azure }: RealmPlan): Promise<Stored<Realm>> {
  if (azure === undefined || azure.tenant === DEFAULT_TENANT || realm.azure?.tenant === azure.tenant) return realm
  if ((await store.count('roleAssignments', 'holder', [realm.azure?.tenant ?? ''])) > 0) return realm
  const { revision, ...row } = realm
  await store.commit([{ kind: 'update', collection: 'realms', row: { ...row, azure }, revision }])
  return (await store.get('realms', realm.id)) ?? realm
}

/** The built-in realm, made at the first start with the addresses of `plan`; later starts keep what they find, but for the tenant. */
export async function ensureRealm(store: Store, sealer: Sealer, plan: RealmPlan): Promise<Stored<Realm>> {
  const known = await store.get('meta', BUILT_IN_REALM)
  if (known === undefined) {
    const writes = await newRealm(store, sealer, plan)
    const realm = writes.find((write) => write.kind === 'insert' && write.collection === 'realms')
    if (realm?.kind !== 'insert' || realm.collection !== 'realms') throw new KmsError('internal')
    const home: Write = { kind: 'insert', collection: 'meta', row: { id: BUILT_IN_REALM, value: realm.row.id } }
    await store.commit([...writes, home])
    return ensureRealm(store, sealer, plan)
  }
  const realm = typeof known.value === 'string' ? await store.get('realms', known.value) : undefined
  if (realm === undefined) throw new KmsError('internal', {}, { cause: new Error('the built-in realm is gone') })
  return withTenant(store, realm, plan)
}

const INSTALLATION = 'installation'

/** Tells what this installation made from what others did, in places that they share (a token). No secret; undefined before the first start has ended. */
export async function installationId(store: Store): Promise<string | undefined> {
  const known = await store.get('meta', INSTALLATION)
  return typeof known?.value === 'string' ? known.value : undefined
}

export async function keepInstallationId(store: Store, id: string): Promise<void> {
  if ((await installationId(store)) !== undefined) return
  await store.commit([{ kind: 'insert', collection: 'meta', row: { id: INSTALLATION, value: id } }])
}

/** @throws KmsError internal where there is none, or it does not open */
export async function keptSecret(store: Store, sealer: Sealer, id: string): Promise<Uint8Array> {
  const known = await store.get('meta', id)
  if (known === undefined || typeof known.value === 'string') throw new KmsError('internal')
  return sealer.unseal(known.value, metaContext(id))
}

/** A secret of the installation: made once by `make`, kept sealed under the root key. */
export async function ensureSecret(
  store: Store,
  sealer: Sealer,
  id: string,
  make: () => Uint8Array | Promise<Uint8Array>,
): Promise<Uint8Array> {
  if ((await store.get('meta', id)) !== undefined) return keptSecret(store, sealer, id)
  const secret = await make()
  const value = await sealer.seal(secret, metaContext(id))
  await store.commit([{ kind: 'insert', collection: 'meta', row: { id, value } }])
  return secret
}

const PAGE = 500

/** Removes every realm, ring, key and alias, key material included. The audit log and the sealed secrets stay. */
export async function emptyStore(
  store: Store,
  backendOf: (name: string) => CryptoBackend,
  ctx: CallContext,
): Promise<void> {
  await destroyAllMaterial(store, backendOf, ctx)
  await empty(store, 'aliases', 'name')
  await empty(store, 'grants', 'key')
  await empty(store, 'versions', 'number')
  await empty(store, 'keys', 'name')
  await empty(store, 'keyStores', 'name')
  await empty(store, 'tombstones', 'name')
  await empty(store, 'lastUses', 'all')
  await empty(store, 'secretVersions', 'number')
  await empty(store, 'secrets', 'name')
  await empty(store, 'rings', 'all')
  await empty(store, 'realms', 'all')
  const home = await store.get('meta', BUILT_IN_REALM)
  if (home !== undefined) {
    await store.commit([{ kind: 'delete', collection: 'meta', id: home.id, revision: home.revision }])
  }
}

type Emptied = Exclude<CollectionName, 'meta' | 'outbox'>

async function empty<C extends Emptied>(store: Store, collection: C, index: IndexName<C>): Promise<void> {
  for (;;) {
    const { rows } = await store.page(collection, index, [], undefined, PAGE)
    if (rows.length === 0) return
    await store.commit(rows.map(({ id, revision }): Write => ({ kind: 'delete', collection, id, revision })))
  }
}

/** Every version that has material. */
export async function* versionsWithMaterial(store: Store): AsyncGenerator<Stored<KeyVersion>> {
  for await (const version of rowsOf(store, 'versions', 'number')) if (version.ref.length > 0) yield version
}

async function destroyAllMaterial(store: Store, backendOf: (name: string) => CryptoBackend, ctx: CallContext) {
  for await (const version of versionsWithMaterial(store)) {
    const key = await store.get('keys', version.keyId)
    if (key !== undefined) await backendOf(version.backend).destroyKey(handleOf({ id: key.ringId }, version), ctx)
  }
}
