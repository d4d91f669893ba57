/** The listeners, and who may be let in by them. */
import { isIP, isIPv6 } from 'node:net'
import { resolve as absolute } from 'node:path'
import { DIALECTS, type Dialect, isExternal, type WireDialect } from '../core/key.ts'
import { Problem } from '../core/problem.ts'
import type { Refusals } from './refusals.ts'
import type { Settings, TlsSettings } from './schema.ts'

export type Profile = 'dev' | 'production'
export type AuthMode = 'off' | 'permissive' | 'enforce'
export type AuthModes = Readonly<Record<Dialect, AuthMode>>

/** `certificate: 'local'`: issued by the local authority in the data directory. */
export type TlsConfig = {
  readonly certificate: 'local' | { readonly cert: string; readonly key: string }
  readonly clientCa?: string
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

/** Whom a listener believes about its clients. */
export type ProxyConfig = {
  /** Addresses and ranges of them. */
  readonly trusted: readonly string[]
  readonly headers: 'x-forwarded' | 'forwarded'
  /** `header` in lower case. */
  readonly clientCertificate?: { readonly header: string; readonly ca: string }
}

export type ListenerConfig = {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly tls?: TlsConfig
  readonly dialects: readonly WireDialect[]
  /** Only this machine can reach it. */
  readonly loopback: boolean
  readonly proxy?: ProxyConfig
  readonly publicUrl?: string
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/
export const isLoopback = (address: string): boolean => LOOPBACK.test(address)
/** `host:port` as a URL writes it. */
export const authority = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/** What a profile's rules are applied with. */
export type Rules = { readonly profile: Profile; readonly refusals: Refusals }

export function resolveTls(tls: TlsSettings, { profile, refusals }: Rules, where: string): TlsConfig {
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
    refusals.add(
      `${where} has no certificate, and production does not make its own`,
      `set ${where}.cert and ${where}.key`,
    )
  }
  return { ...common, certificate: 'local' }
}

function defaultListeners(settings: Settings, rules: Rules): readonly ListenerConfig[] {
  const { profile, refusals } = rules
  const address = settings.host ?? (profile === 'dev' ? '127.0.0.1' : '0.0.0.0')
  const { publicUrl } = settings
  const common = { address, loopback: isLoopback(address), dialects: DIALECTS }
  const shared = { ...common, ...(publicUrl !== undefined && { publicUrl }) }
  const tls = { ...shared, port: settings.tlsPort ?? 7443, tls: resolveTls(settings.tls ?? {}, rules, 'tls') }
  if (profile === 'dev') return [{ ...shared, port: settings.port ?? 7400 }, tls]
  if (settings.port !== undefined) {
    refusals.add(
      'production has no plain port unless a proxy in front of it ends TLS',
      'remove port, or list the listener under listeners with behindProxy: true',
    )
  }
  return [tls]
}

type Declared = NonNullable<Settings['listeners']>[number]

function isRange(text: string): boolean {
  const [address = '', prefix = '0'] = text.split('/')
  return isIP(address) !== 0 && Number(prefix) <= (isIPv6(address) ? 128 : 32)
}

function resolveProxy(declared: Declared, where: string): ProxyConfig | undefined {
  const { behindProxy = false, trustedProxies, forwardedHeaders, clientCertificate } = declared
  const needed = { forwardedHeaders, clientCertificate }
  const early = Object.entries(needed).find(([, value]) => value !== undefined)?.[0]
  if (!behindProxy && trustedProxies !== undefined) {
    throw new Problem(`${where} has trustedProxies and no proxy`, `set ${where}.behindProxy: true`)
  }
  if (trustedProxies === undefined) {
    if (early === undefined) return undefined
    throw new Problem(`${where}.${early} says how proxies speak, and none is trusted`, `set ${where}.trustedProxies`)
  }
  const wrong = trustedProxies.find((range) => !isRange(range))
  if (wrong !== undefined) {
    throw new Problem(`${where}.trustedProxies: ${wrong} is no range of addresses`, 'write it as 192.0.2.0/24')
  }
  return {
    trusted: trustedProxies,
    headers: forwardedHeaders ?? 'x-forwarded',
    ...(clientCertificate !== undefined && {
      clientCertificate: { header: clientCertificate.header.toLowerCase(), ca: absolute(clientCertificate.ca) },
    }),
  }
}

function declaredListener(declared: Declared, index: number, settings: Settings, rules: Rules): ListenerConfig {
  const where = `listeners[${index}]`
  const address = declared.address ?? settings.host ?? '127.0.0.1'
  const proxy = resolveProxy(declared, where)
  const publicUrl = declared.publicUrl ?? settings.publicUrl
  const common = {
    address,
    port: declared.port,
    // Whoever reaches the proxy reaches a listener behind it.
    loopback: isLoopback(address) && declared.behindProxy !== true,
    dialects: declared.dialects ?? DIALECTS,
    ...(proxy !== undefined && { proxy }),
    ...(publicUrl !== undefined && { publicUrl }),
  }
  if (declared.tls !== undefined) {
    return { ...common, tls: resolveTls({ ...settings.tls, ...declared.tls }, rules, `${where}.tls`) }
  }
  if (rules.profile === 'production' && declared.behindProxy !== true) {
    rules.refusals.add(
      `${where} has no tls, and production serves plain HTTP only behind a proxy`,
      `set ${where}.tls, or ${where}.behindProxy: true if something in front of it ends TLS`,
    )
  }
  return common
}

export function resolveListeners(settings: Settings, rules: Rules): readonly ListenerConfig[] {
  if (settings.listeners === undefined) return defaultListeners(settings, rules)
  for (const name of ['port', 'tlsPort'] as const) {
    if (settings[name] !== undefined) {
      throw new Problem(`${name} and listeners are both set`, `remove ${name}: listeners says all there is to say`)
    }
  }
  return settings.listeners.map((declared, index) => declaredListener(declared, index, settings, rules))
}

export function checkPorts(listeners: readonly ListenerConfig[]): void {
  const taken = new Set<string>()
  for (const { address, port } of listeners) {
    const name = authority(address, port)
    if (port !== 0 && taken.has(name)) throw new Problem(`two listeners want ${name}`, 'give one of them another port')
    taken.add(name)
  }
}

export function checkExposure(listeners: readonly ListenerConfig[], auth: AuthModes, refusals: Refusals): void {
  for (const listener of listeners) {
    if (listener.loopback) continue
    // External callers are always authenticated.
    const open = listener.dialects.find(
      (dialect): dialect is Dialect => !isExternal(dialect) && auth[dialect] !== 'enforce',
    )
    if (open === undefined) continue
    refusals.add(
      `auth.${open} is ${auth[open]}, but other machines can reach the listener ${authority(listener.address, listener.port)}`,
      `bind it to 127.0.0.1 without behindProxy, leave ${open} out of its dialects, or set auth.${open} to enforce`,
    )
  }
}

/** Credentials that nobody checks are a development's; production wants to hear why they are all right. */
export function checkAuth(
  { accepted }: Settings,
  listeners: readonly ListenerConfig[],
  auth: AuthModes,
  refusals: Refusals,
) {
  const served = DIALECTS.filter((dialect) => listeners.some(({ dialects }) => dialects.includes(dialect)))
  for (const dialect of served) {
    if (auth[dialect] === 'enforce' || accepted?.auth !== undefined) continue
    refusals.add(
      `auth.${dialect} is ${auth[dialect]}, and production checks who asks`,
      `set auth.${dialect} to enforce, or say in accepted.auth why it is all right here`,
    )
  }
}
