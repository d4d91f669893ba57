/**
 * Custom key stores: keys whose material is not the installation's own, but a token's that a store was made for, or an
 * external key manager's behind a proxy.
 */
import { KmsError } from './error.ts'
import type { Realm } from './key.ts'
import type { CallContext, Store } from './ports.ts'
import type { RingKeys } from './ring-keys.ts'
import { openSecret, type SecretHome, sealSecret } from './sealed-secret.ts'
import { Secret } from './secret.ts'

/** `failed`: connecting did not work; it is disconnected before it is tried again. */
export type KeyStoreState = 'connected' | 'connecting' | 'disconnected' | 'failed'

/** Why connecting failed, or a place was refused. */
export type KeyStoreRefusal =
  // tokens
  | 'cluster_not_found'
  | 'cluster_in_use'
  | 'cluster_not_active'
  | 'cluster_not_related'
  | 'trust_anchor'
  | 'password'
  // proxies, as far as the configuration and other stores tell
  | 'uri_in_use'
  | 'endpoint_in_use'
  | 'service_in_use'
  | 'service_not_found'
  // external keys
  | 'external_key_in_use'
  | 'external_key_spec'

/** What went wrong between here and an external key manager. */
export type ExternalFailure =
  | 'invalid_request'
  | 'key_state'
  | 'ciphertext'
  | 'key_usage'
  | 'authentication'
  | 'access'
  | 'key_not_found'
  | 'uri_path'
  | 'unsupported'
  | 'dependency_timeout'
  | 'throttled'
  | 'internal'
  | 'unreachable'
  | 'tls'
  | 'timeout'
  | 'malformed'
  | 'unavailable' // the proxy answers and says that no key manager is behind it

export const externalFailure = (reason: ExternalFailure, cause?: unknown): KmsError =>
  new KmsError('external_manager', { reason }, cause === undefined ? undefined : { cause })
export const refusedStore = (reason: KeyStoreRefusal, reference = ''): KmsError =>
  new KmsError('key_store_refused', { reason, reference })

export type TokenPlace = {
  readonly kind: 'token'
  /** The cluster's id, which the configuration maps to a token. */
  readonly cluster: string
  /** PEM */
  readonly trustAnchor: string
  /** The password that the token's own is compared with, sealed. */
  readonly sealedSecret: Uint8Array
}
export type ProxyPlace = {
  readonly kind: 'proxy'
  /** `https://` and a host name. */
  readonly endpoint: string
  readonly path: string
  /** Present where the proxy is reached by a private endpoint service. */
  readonly service?: { readonly name: string; readonly owner: string }
  readonly accessKeyId: string
  /** The secret access key, sealed. */
  readonly sealedSecret: Uint8Array
}

export type KeyStore = {
  /** 17 hex digits. */
  readonly id: string
  readonly realmId: string
  /** Unique in its realm. */
  readonly name: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly state: KeyStoreState
  /** While it is `connecting`. */
  readonly connectingSince?: number
  /** Why it is `failed`. */
  readonly failure?: KeyStoreRefusal | ExternalFailure
  readonly place: TokenPlace | ProxyPlace
}

/** A key's part in a custom key store. */
export type KeyStoreMembership = {
  readonly id: string
  /** The external key manager's own name of the key. */
  readonly externalKeyId?: string
}

/** A place with its secret open. */
export type Opened<P extends TokenPlace | ProxyPlace> = P extends unknown
  ? Omit<P, 'sealedSecret'> & { readonly secret: Secret }
  : never

/** What custom key stores are connected to. Every method rejects with a KmsError. */
export interface KeyStoreGateway {
  /** Name of the backend that holds the store's keys. @throws KmsError key_store_refused (cluster_not_found) */
  backendOf(place: Pick<TokenPlace, 'kind' | 'cluster'> | Pick<ProxyPlace, 'kind'>): string
  /** @throws KmsError key_store_refused (cluster_not_found, trust_anchor) */
  checkCluster(place: Pick<TokenPlace, 'cluster' | 'trustAnchor'>): void
  /** Whether the cluster's token serves. @throws KmsError key_store_refused (cluster_not_found, cluster_not_active) */
  checkServing(place: Pick<TokenPlace, 'cluster'>, ctx: GatewayContext): Promise<void>
  /** Whether the password fits and the token serves. @throws KmsError key_store_refused (password, cluster_not_active) */
  checkToken(place: Opened<TokenPlace>, ctx: GatewayContext): Promise<void>
  /** Whether the endpoint service is a configured one. @throws KmsError key_store_refused (service_not_found) */
  checkService(place: Pick<ProxyPlace, 'endpoint' | 'service'>): void
  /** Asks the proxy for its health. @throws KmsError external_manager */
  checkProxy(place: Opened<ProxyPlace>, ctx: GatewayContext): Promise<void>
  /** Whether the external key can serve. @throws KmsError external_manager, key_store_refused (external_key_spec) */
  checkKey(place: Opened<ProxyPlace>, externalKeyId: string, ctx: GatewayContext): Promise<void>
}

/** Travels to an external key manager: who asks for what, and the region that the signature is made for. */
export type GatewayContext = CallContext & { readonly region: string }

const home = (ringId: string, id: string): SecretHome => ({ ringId, secretId: id, versionId: 'key-store' })

/** A store's secret, under the key of its realm's default ring. */
export async function sealStoreSecret(
  ringKeys: Pick<RingKeys, 'get'>,
  realm: Realm,
  id: string,
  secret: string,
): Promise<Uint8Array> {
  const { defaultRingId } = realm
  return sealSecret(await ringKeys.get(defaultRingId), home(defaultRingId, id), Buffer.from(secret))
}

export async function openPlace<P extends TokenPlace | ProxyPlace>(
  ringKeys: Pick<RingKeys, 'get'>,
  realm: Realm,
  id: string,
  place: P,
): Promise<Opened<P>> {
  const { sealedSecret, ...rest } = place
  const ringKey = await ringKeys.get(realm.defaultRingId)
  const secret = new Secret(openSecret(ringKey, home(realm.defaultRingId, id), sealedSecret))
  return { ...rest, secret } as Opened<P>
}

/** An external key's store, ready to be asked. @throws KmsError key_store_disconnected */
export async function openProxyStore(
  store: Store,
  ringKeys: Pick<RingKeys, 'get'>,
  id: string,
): Promise<{ readonly place: Opened<ProxyPlace>; readonly realm: Realm }> {
  const row = await store.get('keyStores', id)
  const realm = row && (await store.get('realms', row.realmId))
  if (row === undefined || realm === undefined || row.place.kind !== 'proxy' || row.state !== 'connected') {
    throw new KmsError('key_store_disconnected')
  }
  return { place: await openPlace(ringKeys, realm, id, row.place), realm }
}
