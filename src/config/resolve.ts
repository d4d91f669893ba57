/** Fills the defaults in and refuses what contradicts itself. */
import { resolve as absolute, join } from 'node:path'
import { DEFAULT_TENANT } from '../core/installation.ts'
import { Problem } from '../core/problem.ts'
import type { QuotaRates } from '../core/quotas.ts'
import { type AuditExportConfig, resolveAuditExports } from './audit-exports.ts'
import { type CallersConfig, resolveCallers } from './callers.ts'
import { checkServed, type ExposureConfig, resolveExposures } from './exposures/index.ts'
import { type HsmConfig, resolveHsm } from './hsm.ts'
import { type KeyStoresConfig, resolveKeyStores } from './key-stores.ts'
import {
  type AuthModes,
  checkAuth,
  checkExposure,
  checkPorts,
  type ListenerConfig,
  type Profile,
  resolveListeners,
} from './listeners.ts'
import { type MetricsConfig, resolveMetrics } from './metrics.ts'
import { nearest } from './nearest.ts'
import type { OtelConfig } from './otel.ts'
import { type PrincipalConfig, resolvePrincipals } from './principals.ts'
import { Refusals } from './refusals.ts'
import { type RingConfig, resolveRings } from './rings.ts'
import { type RootKeyConfig, refuseFile, resolveRootKey } from './root-key.ts'
import type { SecretSource, Settings } from './schema.ts'
import { checkSource } from './source.ts'

export type { ExposureConfig, HsmConfig, RingConfig, RootKeyConfig, SecretSource }

export type Config = {
  readonly profile: Profile
  readonly dataDir: string
  readonly listeners: readonly ListenerConfig[]
  readonly publicUrl?: string
  readonly vaultDomain: string
  readonly auth: AuthModes
  readonly rootKey: RootKeyConfig
  readonly previousRootKey?: RootKeyConfig
  /** `software` or `pkcs11:<hsm name>`. */
  readonly defaultBackend: string
  readonly hsm: readonly HsmConfig[]
  /** `off`: the compiled add-on is left alone. */
  readonly native: 'auto' | 'off'
  readonly rings: readonly RingConfig[]
  readonly keyStores: KeyStoresConfig
  readonly exposures: readonly ExposureConfig[]
  /** Addresses of the built-in realm when it is made; afterwards the store knows them. */
  readonly realm: {
    readonly aws: { readonly account: string; readonly region: string }
    readonly gcp: { readonly project: string; readonly location: string }
    readonly azure: { readonly tenant: string }
  }
  /** Whose tokens are taken. */
  readonly callers: CallersConfig
  readonly aws: {
    readonly clockSkewMs: number
    /** PEM files. */
    readonly attestationRoots: readonly string[]
    readonly principals: readonly PrincipalConfig[]
    /** What is over AWS's own request quotas; undefined: none at all. */
    readonly quotas?: Readonly<Record<string, number>>
  }
  readonly backup: { readonly recipients: readonly string[]; readonly retentionDays: number }
  readonly log: { readonly level: string; readonly format: 'json' | 'pretty' }
  readonly audit: {
    readonly path: string
    readonly checkpoints: string
    readonly exports: readonly AuditExportConfig[]
  }
  readonly metrics?: MetricsConfig
  /** By OpenTelemetry's own variables; absent: nobody asked for it. */
  readonly otel?: OtelConfig
  /** Requests a second of one caller; what is left out is not limited. */
  readonly quotas: QuotaRates
  readonly limits: {
    readonly bodyBytes: number
    readonly headerBytes: number
    readonly requestTimeoutMs: number
    readonly jsonDepth: number
    /** Open at a time, of each listener. */
    readonly maxConnections: number
    /** In flight at a time, of each backend. */
    readonly backendCalls: number
    /** How late the event loop may be before load is shed. */
    readonly loopDelayMs: number
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
    azure: { tenant: azure?.tenant ?? DEFAULT_TENANT },
  }
}

const LIMITS = {
  bodyBytes: 1024 * 1024,
  headerBytes: 16 * 1024,
  requestTimeoutMs: 30_000,
  jsonDepth: 32,
  maxConnections: 4096,
  backendCalls: 1024,
  loopDelayMs: 1000,
}

/** @throws Problem; what `refusals` was given is the caller's to throw */
export function resolve(settings: Settings, given?: Refusals): Config {
  const profile = settings.profile ?? 'dev'
  const refusals = given ?? new Refusals()
  const rules = { profile, refusals }
  const dev = profile === 'dev'
  const dataDir = absolute(settings.dataDir ?? '.trefoil')
  const hsm = (settings.hsm ?? []).map(resolveHsm)
  const names = hsm.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Problem(`two hsm entries are named ${twice}`, 'give one of them another name')
  const rootKey = resolveRootKey(settings.rootKey ?? {}, 'rootKey', dataDir, names)
  const mode = dev ? 'off' : 'enforce'
  const auth = { aws: mode, azure: mode, gcp: mode, ...settings.auth } as const
  const listeners = resolveListeners(settings, rules)
  checkPorts(listeners)
  checkExposure(listeners, auth, refusals)
  if (!dev) checkAuth(settings, listeners, auth, refusals)
  if (!dev) refuseFile(rootKey, refusals)
  const realm = resolveRealm(settings)
  const exposures = resolveExposures(settings.exposures ?? [], dev)
  checkServed(exposures, listeners)
  const metrics = resolveMetrics(settings, rules)
  const auditExports = resolveAuditExports(settings.audit?.exports ?? [], rules)
  if (given === undefined) refusals.throwIfAny()
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
    exposures,
    realm,
    callers: resolveCallers(settings.azure, settings.gcp, { dev, publicUrl: settings.publicUrl }),
    aws: {
      clockSkewMs: (settings.aws?.clockSkewSeconds ?? 300) * 1000,
      attestationRoots: (settings.aws?.attestationRoots ?? []).map((path) => absolute(path)),
      principals: resolvePrincipals(settings.aws?.principals ?? [], realm.aws.account, checkSource),
      ...((settings.aws?.quotas ?? (dev ? 'off' : 'aws')) === 'aws' && { quotas: settings.aws?.quotaLimits ?? {} }),
    },
    backup: { recipients: settings.backup?.recipients ?? [], retentionDays: settings.backup?.retentionDays ?? 35 },
    log: { level: settings.log?.level ?? 'info', format: settings.log?.format ?? (dev ? 'pretty' : 'json') },
    audit: {
      path: absolute(settings.audit?.path ?? join(dataDir, 'audit')),
      checkpoints: absolute(settings.audit?.checkpoints ?? join(dataDir, 'audit.checkpoints')),
      exports: auditExports,
    },
    ...(metrics && { metrics }),
    quotas: settings.quotas ?? {},
    limits: { ...LIMITS, ...settings.limits },
  }
}
