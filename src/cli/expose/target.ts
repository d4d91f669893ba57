/** Where an exposure is to be found, and what to show there. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ExposureConfig, exposureDialect, namesClients } from '../../config/exposures/index.ts'
import { authority, type Config, type ListenerConfig } from '../../config.ts'
import { Problem } from '../../core/problem.ts'

export type Identity = { readonly cert: string; readonly key: string }
export type Target = {
  /** As the cloud knows it: scheme, host and port. */
  readonly url: URL
  /** What is connected to. */
  readonly host: string
  readonly port: number
  /** PEM; absent: the system's. */
  readonly ca: string | undefined
  readonly identity: Identity | undefined
}

/** As typed. */
export type CheckOptions = {
  readonly url?: string
  readonly connect?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly token?: string
}

const WILDCARD: ReadonlySet<string> = new Set(['0.0.0.0', '::'])
const reachable = (address: string): string => (WILDCARD.has(address) ? '127.0.0.1' : address)

function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Problem(`the file ${path} of --${option} cannot be read`, 'check its name and its permissions', { cause })
  }
}

/** @throws Problem */
export function readToken({ token }: CheckOptions): string | undefined {
  return token === undefined ? undefined : readText(token, 'token').trim()
}

function identityOf({ cert, key }: CheckOptions): Identity | undefined {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw new Problem('--cert and --key go together', 'give both, or neither')
  return { cert: readText(cert, 'cert'), key: readText(key, 'key') }
}

function authorities(options: CheckOptions, listener: ListenerConfig, config: Config): string | undefined {
  if (options.ca !== undefined) return readText(options.ca, 'ca')
  const local = join(config.dataDir, 'tls', 'ca.pem')
  return listener.tls?.certificate === 'local' && existsSync(local) ? readFileSync(local, 'utf8') : undefined
}

/** The host that the protocol's own settings name. */
function ownUrl(exposure: ExposureConfig): string | undefined {
  if (exposure.protocol === 'cloud-ekm') return `https://${exposure.host}`
  return exposure.protocol === 'cse' ? new URL(exposure.url).origin : undefined
}

function connection(options: CheckOptions, listener: ListenerConfig, url: URL): { host: string; port: number } {
  if (options.connect !== undefined) {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(options.connect) ?? []
    if (host === undefined) throw new Problem('--connect is no host:port', 'write it as 127.0.0.1:443')
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  }
  if (options.url !== undefined || listener.port === 0) {
    return {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    }
  }
  return { host: reachable(listener.address), port: listener.port }
}

/** Of several that serve it, the one that asks for certificates where they tell the clients. @throws Problem */
function listenerOf({ listeners }: Config, exposure: ExposureConfig): ListenerConfig {
  const dialect = exposureDialect(exposure)
  const serving = listeners.filter(({ dialects }) => dialects.includes(dialect))
  const fits = serving.find(({ tls }) => (tls?.clientCa !== undefined) === namesClients(exposure)) ?? serving[0]
  if (fits !== undefined) return fits
  throw new Problem(`no listener serves ${exposure.name}`, `add one with dialects: [${dialect}]`)
}

/** @throws Problem where the configuration does not say where it is */
export function targetOf(config: Config, exposure: ExposureConfig, options: CheckOptions): Target {
  const listener = listenerOf(config, exposure)
  const { address, port, tls, publicUrl } = listener
  const given = options.url ?? publicUrl ?? ownUrl(exposure)
  if (given === undefined && port === 0) {
    throw new Problem(`the listener of ${exposure.name} has no port of its own`, 'say with --url where it is')
  }
  const url = new URL(given ?? `${tls === undefined ? 'http' : 'https'}://${authority(reachable(address), port)}`)
  return {
    url,
    ...connection(options, listener, url),
    ca: authorities(options, listener, config),
    identity: identityOf(options),
  }
}
