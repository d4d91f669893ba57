/** Custom key stores as the configuration has them: their gateway, and the backend of external keys. */
import { readFileSync } from 'node:fs'
import { type KeyStoreGateway, openProxyStore } from '../../core/key-store.ts'
import type { CryptoBackend, Store } from '../../core/ports.ts'
import { Problem } from '../../core/problem.ts'
import type { RingKeys } from '../../core/ring-keys.ts'
import type { Secret } from '../../core/secret.ts'
import { ExternalBackend } from './backend.ts'
import type { ProxyEndpoint } from './endpoint.ts'
import { Gateway } from './gateway.ts'
import { ProxyClient } from './proxy-client.ts'

export type KeyStoreOptions = {
  /** Files hold PEM. */
  readonly clusters: readonly {
    readonly id: string
    readonly backend: CryptoBackend
    readonly trustAnchor: string
    readonly password: Secret
  }[]
  readonly proxies: readonly (Omit<ProxyEndpoint, 'ca' | 'client'> & {
    readonly ca?: string
    readonly client?: { readonly cert: string; readonly key: string }
  })[]
  readonly store: Store
  readonly ringKeys: Pick<RingKeys, 'get'>
  /** Where the inner layer of external keys lives. */
  readonly inner: CryptoBackend
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Problem(`${path} cannot be read`, 'check its name and its permissions', { cause })
  }
}

const endpointOf = ({ ca, client, ...rest }: KeyStoreOptions['proxies'][number]): ProxyEndpoint => ({
  ...rest,
  ...(ca !== undefined && { ca: readPem(ca) }),
  ...(client !== undefined && { client: { cert: readPem(client.cert), key: readPem(client.key) } }),
})

export type KeyStores = { readonly gateway: KeyStoreGateway; readonly external: CryptoBackend }

/** @throws Problem for a file that is not there */
export function openKeyStores({ clusters, proxies, store, ringKeys, inner }: KeyStoreOptions): KeyStores {
  const endpoints = proxies.map(endpointOf)
  // Proxies compare with their own clock, whatever the service's is set to.
  const client = new ProxyClient(endpoints, Date.now)
  const known = clusters.map(({ trustAnchor, ...rest }) => ({ ...rest, trustAnchor: readPem(trustAnchor) }))
  const open = (id: string) => openProxyStore(store, ringKeys, id)
  return {
    gateway: new Gateway({ clusters: known, endpoints, client }),
    external: new ExternalBackend({ inner, client, open }),
  }
}
