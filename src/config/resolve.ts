/** Fills the defaults in and refuses what contradicts itself. */
import { isIPv6 } from 'node:net'
import { resolve as absolute, join } from 'node:path'
import { DIALECTS, type Dialect } from '../core/key.ts'
import { Problem } from '../core/problem.ts'
import { type KeyStoresConfig, resolveKeyStores } from './key-stores.ts'
import { nearest } from './nearest.ts'
import { type PrincipalConfig, resolvePrincipals } from './principals.ts'
import { type RingConfig, resolveRings } from './rings.ts'
import { type RootKeyConfig, refuseFile, resolveRootKey } from './root-key.ts'
import type { HsmSettings, SecretSource, Settings, TlsSettings } from './schema.ts'
import { checkSource } from './source.ts'

export type Profile = 'dev' | 'production'
export type AuthMode = 'off' | 'permissive' | 'enforce'
export type { RingConfig, RootKeyConfig, SecretSource }

/** `certificate: 'local'`: issued by the local authority in the data directory. */
export type TlsConfig = {
  readonly certificate: 'local' | { readonly cert: string; readonly key: string }
  readonly clientCa?: string
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

export type ListenerConfig = {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly tls?: TlsConfig
  readonly dialects: readonly Dialect[]
  /** Only this machine can reach it. */
  readonly loopback: boolean
}

export type HsmConfig = {
  readonly name: string
  readonly library: string
  readonly tokenLabel?: string
  readonly serial?: string
  readonly slot?: number
  readonly pin: SecretSource
  readonly libraryParameters?: string
  readonly mlDsa: 'hedged' | 'deterministic'
  readonly sessions: number
  readonly deadlineMs: number
}

export type Config = {
  readonly profile: Profile
  readonly dataDir: string
  readonly listeners: readonly ListenerConfig[]
  readonly publicUrl?: string
  readonly vaultDomain: string
  readonly auth: Readonly<Record<Dialect, AuthMode>>
  readonly rootKey: RootKeyConfig
  readonly previousRootKey?: RootKeyConfig
  /** `software` or `pkcs11:<hsm name>`. */
  readonly defaultBackend: string
  readonly hsm: readonly HsmConfig[]
  /** `off`: the compiled add-on is left alone. */
  readonly native: 'auto' | 'off'
  readonly rings: readonly RingConfig[]
  readonly keyStores: KeyStoresConfig
  /** Addresses of the built-in realm when it is made; afterwards the store knows them. */
  readonly realm: {
    readonly aws: { readonly account: string; readonly region: string }
    readonly gcp: { readonly project: string; readonly location: string }
    readonly azure: { readonly tenant: string }
  }
  readonly aws: {
    readonly clockSkewMs: number
    /** PEM files. */
    readonly attestationRoots: readonly string[]
    readonly principals: readonly PrincipalConfig[]
    /** What is over AWS's own request quotas; undefined: none at all. */
    readonly quotas?: Readonly<Record<string, number>>
  }
  readonly log: { readonly level: string; readonly format: 'json' | 'pretty' }
  readonly audit: { readonly path: string; readonly checkpoints: string }
  readonly limits: {
    readonly bodyBytes: number
    readonly headerBytes: number
    readonly requestTimeoutMs: number
    readonly jsonDepth: number
    /** Open at a time, of each listener. */
    readonly maxConnections: number
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/
export const isLoopback = (address: string): boolean => LOOPBACK.test(address)
/** `host:port` as a URL writes it. */
export const authority = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

function resolveTls(tls: TlsSettings, profile: Profile, where: string): TlsConfig {
  const common = {
    minVersion: tls.minVersion ?? ('TLSv1.2' as const),
    ...(tls.clientCa === undefined ? {} : { clientCa: absolute(tls.clientCa) }),
  }
  if (tls.cert !== undefined && tls.key !== undefined) {
    return { ...common, certificate: { cert: absolute(tls.cert), key: absolute(tls.key) } }
  }
  if (tls.cert !== undefined || tls.key !== undefined) {
    const missing = tls.cert === undefined ? 'cert' : 'key'
    throw new Problem(`${where} names only one of cert and key`, `set ${where}.${missing} too`)
  }
  if (profile === 'production') {
    throw new Problem(
      `${where} has no certificate, and production does not make its own`,
      `set ${where}.cert and ${where}.key`,
    )
  }
  return { ...common, certificate: 'local' }
}

function defaultListeners(settings: Settings, profile: Profile): readonly ListenerConfig[] {
  const address = settings.host ?? (profile === 'dev' ? '127.0.0.1' : '0.0.0.0')
  const shared = { address, loopback: isLoopback(address), dialects: DIALECTS }
  const tls = { ...shared, port: settings.tlsPort ?? 7443, tls: resolveTls(settings.tls ?? {}, profile, 'tls') }
  if (profile === 'dev') return [{ ...shared, port: settings.port ?? 7400 }, tls]
  if (settings.port !== undefined) {
    throw new Problem(
      'production has no plain port unless a proxy in front of it ends TLS',
      'remove port, or list the listener under listeners with behindProxy: true',
    )
  }
  return [tls]
}

function declaredListener(
  declared: NonNullable<Settings['listeners']>[number],
  index: number,
  settings: Settings,
  profile: Profile,
): ListenerConfig {
  const where = `listeners[${index}]`
  const address = declared.address ?? settings.host ?? '127.0.0.1'
  const common = {
    address,
    port: declared.port,
    // Whoever reaches the proxy reaches a listener behind it.
    loopback: isLoopback(address) && declared.behindProxy !== true,
    dialects: declared.dialects ?? DIALECTS,
  }
  if (declared.tls !== undefined) {
    return { ...common, tls: resolveTls({ ...settings.tls, ...declared.tls }, profile, `${where}.tls`) }
  }
  if (profile === 'production' && declared.behindProxy !== true) {
    throw new Problem(
      `${where} has no tls, and production serves plain HTTP only behind a proxy`,
      `set ${where}.tls, or ${where}.behindProxy: true if something in front of it ends TLS`,
    )
  }
  return common
}

function resolveListeners(settings: Settings, profile: Profile): readonly ListenerConfig[] {
  if (settings.listeners === undefined) return defaultListeners(settings, profile)
  for (const name of ['port', 'tlsPort'] as const) {
    if (settings[name] !== undefined) {
      throw new Problem(`${name} and listeners are both set`, `remove ${name}: listeners says all there is to say`)
    }
  }
  return settings.listeners.map((declared, index) => declaredListener(declared, index, settings, profile))
}

function checkPorts(listeners: readonly ListenerConfig[]): void {
  const taken = new Set<string>()
  for (const { address, port } of listeners) {
    const name = authority(address, port)
    if (port !== 0 && taken.has(name)) throw new Problem(`two listeners want ${name}`, 'give one of them another port')
    taken.add(name)
  }
}

function checkExposure(listeners: readonly ListenerConfig[], auth: Config['auth']): void {
  for (const listener of listeners) {
    if (listener.loopback) continue
    const open = listener.dialects.find((dialect) => auth[dialect] !== 'enforce')
    if (open === undefined) continue
    throw new Problem(
      `auth.${open} is ${auth[open]}, but other machines can reach the listener ${authority(listener.address, listener.port)}`,
      `bind it to 127.0.0.1 without behindProxy, leave ${open} out of its dialects, or set auth.${open} to enforce`,
    )
  }
}

function resolveHsm(hsm: HsmSettings, index: number): HsmConfig {
  const { name, library, libraryParameters, pin, tokenLabel, serial, slot } = hsm
  if (tokenLabel === undefined && serial === undefined && slot === undefined) {
    throw new Problem(`hsm[${index}] (${name}) does not say which token`, 'set its tokenLabel, serial or slot')
  }
  return {
    name,
    library,
    pin: checkSource(pin, `hsm[${index}].pin`),
    mlDsa: hsm.mlDsa ?? 'hedged',
    sessions: hsm.sessions ?? 8,
    deadlineMs: hsm.deadlineMs ?? 10_000,
    ...(libraryParameters === undefined ? {} : { libraryParameters }),
    ...(tokenLabel === undefined ? {} : { tokenLabel }),
    ...(serial === undefined ? {} : { serial }),
    ...(slot === undefined ? {} : { slot }),
  }
}

function resolveBackend(settings: Settings, hsms: readonly string[]): string {
  const backend = settings.defaultBackend ?? 'software'
  const known = ['software', ...hsms.map((name) => `pkcs11:${name}`)]
  if (known.includes(backend)) return backend
  throw new Problem(
    `defaultBackend ${backend} does not exist`,
    `did you mean ${nearest(backend, known) ?? known.join(' or ')}?`,
  )
}

function resolveRealm(settings: Settings): Config['realm'] {
  const { aws, gcp, azure } = settings.realm ?? {}
  return {
    aws: { account: aws?.account ?? '000000000000', region: aws?.region ?? 'us-east-1' },
    gcp: { project: gcp?.project ?? 'local', location: gcp?.location ?? 'global' },
    azure: { tenant: azure?.tenant ?? '00000000-0000-0000-0000-000000000001' },
  }
}

const LIMITS = {
  bodyBytes: 1024 * 1024,
  headerBytes: 16 * 1024,
  requestTimeoutMs: 30_000,
  jsonDepth: 32,
  maxConnections: 4096,
}

/** @throws Problem */
export function resolve(settings: Settings): Config {
  const profile = settings.profile ?? 'dev'
  const dev = profile === 'dev'
  const dataDir = absolute(settings.dataDir ?? '.trefoil')
  const hsm = (settings.hsm ?? []).map(resolveHsm)
  const names = hsm.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Problem(`two hsm entries are named ${twice}`, 'give one of them another name')
  const rootKey = resolveRootKey(settings.rootKey ?? {}, 'rootKey', dataDir, names)
  const mode = dev ? 'off' : 'enforce'
  const auth = { aws: mode, azure: mode, gcp: mode, ...settings.auth } as const
  const listeners = resolveListeners(settings, profile)
  checkPorts(listeners)
  checkExposure(listeners, auth)
  if (!dev) refuseFile(rootKey)
  const realm = resolveRealm(settings)
  return {
    profile,
    dataDir,
    listeners,
    ...(settings.publicUrl === undefined ? {} : { publicUrl: settings.publicUrl }),
    vaultDomain: settings.vaultDomain ?? 'vault.localhost',
    auth,
    rootKey,
    ...(settings.previousRootKey === undefined
      ? {}
      : { previousRootKey: resolveRootKey(settings.previousRootKey, 'previousRootKey', dataDir, names) }),
    defaultBackend: resolveBackend(settings, names),
    hsm,
    native: settings.native ?? 'auto',
    rings: resolveRings(settings, names),
    keyStores: resolveKeyStores(settings, names),
    realm,
    aws: {
      clockSkewMs: (settings.aws?.clockSkewSeconds ?? 300) * 1000,
      attestationRoots: (settings.aws?.attestationRoots ?? []).map((path) => absolute(path)),
      principals: resolvePrincipals(settings.aws?.principals ?? [], realm.aws.account, checkSource),
      ...((settings.aws?.quotas ?? (dev ? 'off' : 'aws')) === 'aws' && { quotas: settings.aws?.quotaLimits ?? {} }),
    },
    log: { level: settings.log?.level ?? 'info', format: settings.log?.format ?? (dev ? 'pretty' : 'json') },
    audit: {
      path: absolute(settings.audit?.path ?? join(dataDir, 'audit')),
      checkpoints: absolute(settings.audit?.checkpoints ?? join(dataDir, 'audit.checkpoints')),
    },
    limits: { ...LIMITS, ...settings.limits },
  }
}
