/** Connecting custom key stores: asked for, answered at once, and finished afterwards (as AWS has it). */
import { KmsError } from '../error.ts'
import { type GatewayContext, type KeyStore, openPlace, type ProxyPlace, type TokenPlace } from '../key-store.ts'
import { type Env, type RealmTarget, realmOperation } from '../operation.ts'
import { findStore, gatewayContext, type KeyStoreInput } from './key-stores.ts'

/**
 * A connected store stays so, and one that is being connected.
 * @throws KmsError key_store_not_found, key_store_state, key_store_refused where its token does not serve
 */
export const connectKeyStore = realmOperation<KeyStoreInput, KeyStore>({
  name: 'ConnectKeyStore',
  action: 'connect-key-store',
  async run(env, { realm }, { id }) {
    const { revision, ...old } = await findStore(env, realm, id)
    if (old.state === 'failed') throw new KmsError('key_store_state', { state: old.state })
    if (old.state !== 'disconnected') return { output: old }
    if (old.place.kind === 'token') await env.keyStores.checkServing(old.place, gatewayContext(env, realm))
    const row: KeyStore = { ...old, state: 'connecting', connectingSince: env.now, updatedAt: env.now }
    return { output: row, writes: [{ kind: 'update', collection: 'keyStores', row, revision }] }
  },
})

/** Nobody's request: a proxy is told of no principal. */
function healthContext(env: Env, { realm }: RealmTarget): GatewayContext {
  const { signal, requestId, region } = gatewayContext(env, realm)
  return { signal, requestId, region }
}

/** Whether what the store stands for answers; why not, where it does not. */
async function connect(env: Env, target: RealmTarget, { id, place }: KeyStore): Promise<KeyStore['failure']> {
  try {
    const open = await openPlace<TokenPlace | ProxyPlace>(env.ringKeys, target.realm, id, place)
    const ctx = healthContext(env, target)
    await (open.kind === 'token' ? env.keyStores.checkToken(open, ctx) : env.keyStores.checkProxy(open, ctx))
    return undefined
  } catch (error) {
    const { code, params } = KmsError.from(error)
    if (code === 'key_store_refused' || code === 'external_manager') return params.reason as KeyStore['failure']
    return 'internal'
  }
}

/** What goes wrong is the store's state, not the caller's error. A store that was disconnected meanwhile stays so. */
export const finishConnecting = realmOperation<KeyStoreInput, KeyStore | undefined>({
  name: 'FinishConnecting',
  action: 'connect-key-store',
  async run(env, target, { id }) {
    const found = await env.store.get('keyStores', id)
    if (found?.state !== 'connecting') return { output: found }
    const { revision, connectingSince: _, ...old } = found
    const failure = await connect(env, target, old)
    const row: KeyStore = {
      ...old,
      state: failure === undefined ? 'connected' : 'failed',
      ...(failure !== undefined && { failure }),
      updatedAt: env.now,
    }
    return { output: row, writes: [{ kind: 'update', collection: 'keyStores', row, revision }] }
  },
})

/** @throws KmsError key_store_not_found, key_store_state */
export const disconnectKeyStore = realmOperation<KeyStoreInput, KeyStore>({
  name: 'DisconnectKeyStore',
  action: 'disconnect-key-store',
  async run(env, { realm }, { id }) {
    const { revision, failure: _, connectingSince: __, ...old } = await findStore(env, realm, id)
    if (old.state === 'disconnected') throw new KmsError('key_store_state', { state: old.state })
    const row: KeyStore = { ...old, state: 'disconnected', updatedAt: env.now }
    return { output: row, writes: [{ kind: 'update', collection: 'keyStores', row, revision }] }
  },
})
