/** What custom key stores are connected to: the configuration's tokens by cluster id, and proxies by endpoint. */
import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import {
  externalFailure,
  type GatewayContext,
  type KeyStoreGateway,
  type Opened,
  type ProxyPlace,
  refusedStore,
  type TokenPlace,
} from '../../core/key-store.ts'
import type { CryptoBackend } from '../../core/ports.ts'
import { isRecord } from '../../core/record.ts'
import type { Secret } from '../../core/secret.ts'
import { EXTERNAL_BACKEND } from './backend.ts'
import type { ProxyEndpoint } from './endpoint.ts'
import type { ProxyClient } from './proxy-client.ts'

/** A CloudHSM cluster's stand-in. */
export type Cluster = {
  readonly id: string
  readonly backend: CryptoBackend
  /** PEM */
  readonly trustAnchor: string
  readonly password: Secret
}
export type GatewayOptions = {
  readonly clusters: readonly Cluster[]
  readonly endpoints: readonly ProxyEndpoint[]
  readonly client: ProxyClient
}

function fingerprint(pem: string): string | undefined {
  try {
    return new X509Certificate(pem).fingerprint256
  } catch {
    return undefined
  }
}
const digest = (secret: Secret): Buffer => secret.use((bytes) => createHash('sha256').update(bytes).digest())

const HEALTH = new Set(['ACTIVE', 'DEGRADED', 'UNAVAILABLE'])
type Json = Readonly<Record<string, unknown>>

/** GetHealthStatus: the proxy's own facts have to be there, and at least one instance behind it has to serve. */
function checkHealth({ xksProxyFleetSize, xksProxyVendor, xksProxyModel, ekmVendor, ekmFleetDetails }: Json): void {
  const texts = [xksProxyVendor, xksProxyModel, ekmVendor]
  const sized = Number.isInteger(xksProxyFleetSize) && Number(xksProxyFleetSize) > 0
  const fleet = Array.isArray(ekmFleetDetails) ? ekmFleetDetails : []
  const known = fleet.every((one) => isRecord(one) && HEALTH.has(String(one.healthStatus)))
  if (!sized || !texts.every((text) => typeof text === 'string') || fleet.length === 0 || !known) {
    throw externalFailure('malformed')
  }
  if (fleet.every((one) => isRecord(one) && one.healthStatus === 'UNAVAILABLE')) throw externalFailure('unavailable')
}

function checkMetadata({ keySpec, keyUsage, keyStatus }: Json): void {
  if (typeof keySpec !== 'string' || !Array.isArray(keyUsage) || typeof keyStatus !== 'string') {
    throw externalFailure('malformed')
  }
  const fits = keySpec === 'AES_256' && keyUsage.includes('ENCRYPT') && keyUsage.includes('DECRYPT')
  if (!fits || keyStatus !== 'ENABLED') throw refusedStore('external_key_spec')
}

export class Gateway implements KeyStoreGateway {
  readonly #clusters: ReadonlyMap<string, Cluster>
  readonly #options: GatewayOptions

  constructor(options: GatewayOptions) {
    this.#clusters = new Map(options.clusters.map((cluster) => [cluster.id, cluster]))
    this.#options = options
  }

  backendOf(place: Pick<TokenPlace, 'kind' | 'cluster'> | Pick<ProxyPlace, 'kind'>): string {
    return place.kind === 'proxy' ? EXTERNAL_BACKEND : this.#cluster(place.cluster).backend.name
  }

  checkCluster({ cluster, trustAnchor }: Pick<TokenPlace, 'cluster' | 'trustAnchor'>): void {
    const given = fingerprint(trustAnchor)
    if (given === undefined || given !== fingerprint(this.#cluster(cluster).trustAnchor)) {
      throw refusedStore('trust_anchor', cluster)
    }
  }

  async checkServing({ cluster }: Pick<TokenPlace, 'cluster'>, ctx: GatewayContext): Promise<void> {
    await this.#cluster(cluster)
      .backend.health(ctx)
      .catch(() => {
        throw refusedStore('cluster_not_active', cluster)
      })
  }

  async checkToken(place: Opened<TokenPlace>, ctx: GatewayContext): Promise<void> {
    const { cluster, secret } = place
    if (!timingSafeEqual(digest(secret), digest(this.#cluster(cluster).password))) {
      throw refusedStore('password', cluster)
    }
    await this.checkServing(place, ctx)
  }

  checkService({ endpoint, service }: Pick<ProxyPlace, 'endpoint' | 'service'>): void {
    if (service === undefined) return
    const known = this.#options.endpoints.find((one) => one.service === service.name)
    if (known?.endpoint !== endpoint) throw refusedStore('service_not_found', service.name)
  }

  async checkProxy(place: Opened<ProxyPlace>, ctx: GatewayContext): Promise<void> {
    checkHealth(await this.#options.client.health(place, ctx))
  }

  async checkKey(place: Opened<ProxyPlace>, externalKeyId: string, ctx: GatewayContext): Promise<void> {
    checkMetadata(await this.#options.client.ask(place, { externalKeyId }, 'metadata', {}, ctx))
  }

  #cluster(id: string): Cluster {
    const cluster = this.#clusters.get(id)
    if (cluster === undefined) throw refusedStore('cluster_not_found', id)
    return cluster
  }
}
