/** What custom key stores may be connected to. */
import { resolve as absolute } from 'node:path'
import { Problem } from '../core/problem.ts'
import type { SecretSource, Settings } from './schema.ts'
import { checkSource } from './source.ts'

export type KeyStoresConfig = {
  readonly clusters: readonly {
    readonly id: string
    readonly hsm: string
    readonly trustAnchor: string
    readonly password: SecretSource
  }[]
  readonly proxies: readonly {
    readonly endpoint: string
    readonly address?: { readonly host: string; readonly port: number }
    readonly ca?: string
    readonly client?: { readonly cert: string; readonly key: string }
    readonly deadlineMs?: number
    readonly service?: string
  }[]
}

/** @throws Problem */
export function resolveKeyStores({ keyStores = {} }: Settings, hsms: readonly string[]): KeyStoresConfig {
  const clusters = (keyStores.clusters ?? []).map((cluster, index) => {
    const where = `keyStores.clusters[${index}]`
    if (!hsms.includes(cluster.hsm)) {
      throw new Problem(
        `${where}.hsm (${cluster.hsm}) is not the name of an hsm entry`,
        `set it to one of: ${hsms.join(', ') || '(there is no hsm entry yet)'}`,
      )
    }
    const password = checkSource(cluster.password, `${where}.password`)
    return { ...cluster, trustAnchor: absolute(cluster.trustAnchor), password }
  })
  const proxies = (keyStores.proxies ?? []).map(({ address, ca, clientCert, clientKey, ...rest }, index) => {
    if ((clientCert === undefined) !== (clientKey === undefined)) {
      throw new Problem(`keyStores.proxies[${index}] names only one of clientCert and clientKey`, 'set both or none')
    }
    const colon = address?.lastIndexOf(':') ?? -1
    return {
      ...rest,
      ...(address !== undefined && {
        address: { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) },
      }),
      ...(ca !== undefined && { ca: absolute(ca) }),
      ...(clientCert !== undefined &&
        clientKey !== undefined && { client: { cert: absolute(clientCert), key: absolute(clientKey) } }),
    }
  })
  return { clusters, proxies }
}
