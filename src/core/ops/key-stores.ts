/** Custom key stores: what is kept of them. */
import { randomBytes } from 'node:crypto'
import { rowsOf } from '../all-rows.ts'
import { invalidArgument, KmsError } from '../error.ts'
import type { Realm } from '../key.ts'
import {
  type GatewayContext,
  type KeyStore,
  type Opened,
  openPlace,
  type ProxyPlace,
  refusedStore,
  sealStoreSecret,
  type TokenPlace,
} from '../key-store.ts'
import { type Env, realmOperation } from '../operation.ts'
import type { Stored } from '../ports.ts'
import { Secret } from '../secret.ts'
import type { Paging } from './list-keys.ts'

type Unsealed<P> = Omit<P, 'sealedSecret'> & { readonly secret: string }
export type NewPlace = Unsealed<TokenPlace> | Unsealed<ProxyPlace>
export type CreateKeyStoreInput = { readonly name: string; readonly place: NewPlace; readonly limit: number }
export type KeyStoreInput = { readonly id: string }

type AnyPlace = TokenPlace | ProxyPlace

const opened = ({ secret, ...rest }: NewPlace): Opened<AnyPlace> =>
  ({ ...rest, secret: new Secret(Buffer.from(secret)) }) as Opened<AnyPlace>

export const gatewayContext = (env: Env, realm: Realm): GatewayContext => ({
  ...env.call,
  region: realm.aws?.region ?? '',
})

/** @throws KmsError key_store_not_found */
export async function findStore(env: Env, realm: Realm, id: string): Promise<Stored<KeyStore>> {
  const row = await env.store.get('keyStores', id)
  if (row === undefined || row.realmId !== realm.id) throw new KmsError('key_store_not_found', { reference: id })
  return row
}

/** @throws KmsError key_store_exists */
async function checkFreeName(env: Env, realm: Realm, name: string): Promise<void> {
  const namesake = await env.store.find('keyStores', 'name', [realm.id, name])
  if (namesake !== undefined) throw new KmsError('key_store_exists', { reference: name })
}

/** @throws KmsError key_store_refused (cluster_in_use) */
async function checkFreeCluster(env: Env, realm: Realm, cluster: string): Promise<void> {
  const user = await env.store.find('keyStores', 'cluster', [realm.id, cluster])
  if (user !== undefined) throw refusedStore('cluster_in_use', cluster)
}

type Address = Pick<ProxyPlace, 'endpoint' | 'path' | 'service'>

/** A private endpoint is one store's, a public one is shared by paths. @throws KmsError key_store_refused */
async function checkFreeProxy(env: Env, realm: Realm, id: string, wanted: Address): Promise<void> {
  for await (const { id: other, place } of rowsOf(env.store, 'keyStores', 'proxy', [realm.id])) {
    if (other === id || place.kind !== 'proxy') continue
    if (wanted.service !== undefined && place.service?.name === wanted.service.name) {
      throw refusedStore('service_in_use', wanted.service.name)
    }
    if (place.endpoint !== wanted.endpoint) continue
    if (place.path === wanted.path) throw refusedStore('uri_in_use', wanted.endpoint + wanted.path)
    if (wanted.service !== undefined || place.service !== undefined) {
      throw refusedStore('endpoint_in_use', wanted.endpoint)
    }
  }
}

/** A private endpoint is asked when the store is connected, a public one before it is taken (as AWS has it). */
async function checkPlace(env: Env, realm: Realm, id: string, place: Opened<AnyPlace>) {
  if (place.kind === 'token') {
    env.keyStores.checkCluster(place)
    return env.keyStores.checkServing(place, gatewayContext(env, realm))
  }
  await checkFreeProxy(env, realm, id, place)
  env.keyStores.checkService(place)
  if (place.service === undefined) await env.keyStores.checkProxy(place, gatewayContext(env, realm))
}

/** A store stays with what it was made for: another certificate is another cluster's. */
function asUnrelated(cause: unknown): never {
  const { reason, reference } = KmsError.from(cause).params
  throw reason === 'trust_anchor' ? refusedStore('cluster_not_related', String(reference)) : cause
}

async function sealed(env: Env, realm: Realm, id: string, { secret, ...rest }: NewPlace): Promise<KeyStore['place']> {
  return { ...rest, sealedSecret: await sealStoreSecret(env.ringKeys, realm, id, secret) } as KeyStore['place']
}

/** @throws KmsError key_store_exists, key_store_refused, external_manager, limit_exceeded */
export const createKeyStore = realmOperation<CreateKeyStoreInput, KeyStore>({
  name: 'CreateKeyStore',
  action: 'create-key-store',
  async run(env, { realm }, { name, place, limit }) {
    await checkFreeName(env, realm, name)
    if ((await env.store.count('keyStores', 'name', [realm.id])) >= limit) {
      throw new KmsError('limit_exceeded', { limit: `${limit} custom key stores` })
    }
    if (place.kind === 'token') await checkFreeCluster(env, realm, place.cluster)
    const id = randomBytes(9).toString('hex').slice(0, 17)
    await checkPlace(env, realm, id, opened(place))
    const row: KeyStore = {
      id,
      realmId: realm.id,
      name,
      createdAt: env.now,
      updatedAt: env.now,
      state: 'disconnected',
      place: await sealed(env, realm, id, place),
    }
    return { output: row, writes: [{ kind: 'insert', collection: 'keyStores', row }] }
  },
})

export type ListKeyStoresInput = Paging & { readonly id?: string | undefined; readonly name?: string | undefined }
export type KeyStoreList = { readonly keyStores: readonly KeyStore[]; readonly next?: string }

/** All of the realm's, by name, or the one that is named. @throws KmsError key_store_not_found */
export const listKeyStores = realmOperation<ListKeyStoresInput, KeyStoreList>({
  name: 'ListKeyStores',
  action: 'list-key-stores',
  async run(env, { realm }, { id, name, after, limit }) {
    if (id !== undefined) return { output: { keyStores: [await findStore(env, realm, id)] } }
    if (name !== undefined) {
      const row = await env.store.find('keyStores', 'name', [realm.id, name])
      if (row === undefined) throw new KmsError('key_store_not_found', { reference: name })
      return { output: { keyStores: [row] } }
    }
    const { rows, next } = await env.store.page('keyStores', 'name', [realm.id], after, limit)
    return { output: { keyStores: rows, ...(next !== undefined && { next }) } }
  },
})

export type KeyStoreChange = {
  readonly name?: string | undefined
  readonly token?: { readonly cluster?: string | undefined; readonly secret?: string | undefined } | undefined
  readonly proxy?:
    | {
        readonly endpoint?: string | undefined
        readonly path?: string | undefined
        /** null: a public endpoint. */
        readonly service?: ProxyPlace['service'] | null | undefined
        readonly accessKeyId?: string | undefined
        readonly secret?: string | undefined
      }
    | undefined
}
export type UpdateKeyStoreInput = KeyStoreInput & { readonly change: KeyStoreChange }

function changedPlace(old: Opened<AnyPlace>, { token, proxy }: KeyStoreChange): Opened<AnyPlace> {
  const wanted = old.kind === 'token' ? token : proxy
  const secret = wanted?.secret === undefined ? old.secret : new Secret(Buffer.from(wanted.secret))
  if (old.kind === 'token') return { ...old, cluster: token?.cluster ?? old.cluster, secret }
  const { service: was, ...rest } = old
  const service = proxy?.service === undefined ? was : (proxy.service ?? undefined)
  return {
    ...rest,
    endpoint: proxy?.endpoint ?? old.endpoint,
    path: proxy?.path ?? old.path,
    accessKeyId: proxy?.accessKeyId ?? old.accessKeyId,
    ...(service && { service }),
    secret,
  }
}

/** What AWS lets change only while the store is disconnected. */
const needsDisconnected = ({ token, proxy }: KeyStoreChange): boolean =>
  token !== undefined || proxy?.endpoint !== undefined || proxy?.service !== undefined

const ofOtherKind = ({ token, proxy }: KeyStoreChange, { place }: KeyStore): boolean =>
  place.kind === 'token' ? proxy !== undefined : token !== undefined

/**
 * @throws KmsError key_store_not_found, key_store_exists, key_store_state, key_store_refused, external_manager,
 *   invalid_argument for what only a store of the other kind has
 */
export const updateKeyStore = realmOperation<UpdateKeyStoreInput, KeyStore>({
  name: 'UpdateKeyStore',
  action: 'update-key-store',
  async run(env, { realm }, { id, change }) {
    const { revision, ...old } = await findStore(env, realm, id)
    if (ofOtherKind(change, old)) throw invalidArgument('request', 'it has members for a key store of another type')
    if (needsDisconnected(change) && old.state !== 'disconnected') {
      throw new KmsError('key_store_state', { state: old.state })
    }
    if (change.name !== undefined && change.name !== old.name) await checkFreeName(env, realm, change.name)
    let { place } = old
    if (change.token !== undefined || change.proxy !== undefined) {
      const next = changedPlace(await openPlace(env.ringKeys, realm, id, old.place), change)
      if (next.kind === 'token' && old.place.kind === 'token' && next.cluster !== old.place.cluster) {
        await checkFreeCluster(env, realm, next.cluster)
      }
      await checkPlace(env, realm, id, next).catch(asUnrelated)
      const secret = next.secret.use((bytes) => Buffer.from(bytes).toString())
      place = await sealed(env, realm, id, { ...next, secret })
    }
    const row: KeyStore = { ...old, name: change.name ?? old.name, place, updatedAt: env.now }
    return { output: row, writes: [{ kind: 'update', collection: 'keyStores', row, revision }] }
  },
})

/** @throws KmsError key_store_not_found, key_store_state, key_store_has_keys */
export const deleteKeyStore = realmOperation<KeyStoreInput, KeyStore>({
  name: 'DeleteKeyStore',
  action: 'delete-key-store',
  async run(env, { realm }, { id }) {
    const row = await findStore(env, realm, id)
    if (row.state !== 'disconnected') throw new KmsError('key_store_state', { state: row.state })
    if ((await env.store.count('keys', 'keyStore', [id])) > 0) throw new KmsError('key_store_has_keys')
    return { output: row, writes: [{ kind: 'delete', collection: 'keyStores', id, revision: row.revision }] }
  },
})

export type WantedKeyStore = {
  readonly id: string
  /** What the caller takes it for. */
  readonly kind: AnyPlace['kind']
  readonly externalKeyId?: string | undefined
}

/** @throws KmsError key_store_not_found, key_store_state, invalid_argument (keyStore) */
export async function connectedStore(env: Env, realm: Realm, { id, kind }: Pick<WantedKeyStore, 'id' | 'kind'>) {
  const keyStore = await findStore(env, realm, id)
  if (keyStore.place.kind !== kind) throw invalidArgument('keyStore', 'its type does not fit the origin of the key')
  if (keyStore.state !== 'connected') throw new KmsError('key_store_state', { state: keyStore.state })
  return { keyStore, backend: env.keyStores.backendOf(keyStore.place) }
}

/**
 * The store of a new key.
 * @throws KmsError key_store_not_found, key_store_state, key_store_refused, external_manager, invalid_argument (keyStore)
 */
export async function storeForKey(env: Env, realm: Realm, wanted: WantedKeyStore) {
  const { id, externalKeyId } = wanted
  const found = await connectedStore(env, realm, wanted)
  const { place } = found.keyStore
  const ctx = gatewayContext(env, realm)
  if (place.kind === 'token') await env.keyStores.checkServing(place, ctx)
  if (place.kind === 'proxy' && externalKeyId !== undefined) {
    const user = await env.store.find('keys', 'externalKey', [id, externalKeyId])
    if (user !== undefined) throw refusedStore('external_key_in_use', externalKeyId)
    await env.keyStores.checkKey(await openPlace(env.ringKeys, realm, id, place), externalKeyId, ctx)
  }
  return found
}
