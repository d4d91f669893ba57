/** The composition root: the only file that names concrete classes. Tests use the same one. */
import { createPublicKey, createSecretKey, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Admin, createAdmin } from './api/admin/index.ts'
import { openSocket } from './api/admin/socket.ts'
import { statusOf } from './api/admin/status.ts'
import { standInKey } from './api/azure/token.ts'
import { Exposures } from './api/exposures.ts'
import type { HealthCheck } from './api/http/health.ts'
import { createLogger } from './api/http/logging.ts'
import { type BoundListener, createServer, type OpenListeners, type Server } from './api/server.ts'
import { keyManager } from './api/xks/health.ts'
import { Backups } from './backup/service.ts'
import { loadExposures } from './config/exposures/index.ts'
import { fixedPrincipals } from './config/principals.ts'
import { ringBackends } from './config/rings.ts'
import { type Config, readSecret } from './config.ts'
import { Backends } from './core/backends.ts'
import { SettableClock, SystemClock } from './core/clock.ts'
import { DueWork } from './core/due.ts'
import { DEFAULT_TENANT, emptyStore, ensureRealm, ensureSecret } from './core/installation.ts'
import { Kernel } from './core/kernel.ts'
import { DIALECTS, type Realm } from './core/key.ts'
import { placesOf } from './core/key-places.ts'
import { awsEvaluator } from './core/policy/aws/evaluator.ts'
import { azureEvaluator } from './core/policy/azure/evaluator.ts'
import { RoleBook } from './core/policy/azure/role-book.ts'
import { gcpEvaluator } from './core/policy/gcp/evaluator.ts'
import { PolicyBook } from './core/policy/gcp/policy-book.ts'
import { ModeAuthorizer } from './core/policy/modes.ts'
import type { Clock, CryptoBackend, Sealer, Store } from './core/ports.ts'
import { Directory } from './core/principals/directory.ts'
import { Sessions } from './core/principals/sessions.ts'
import { Problem } from './core/problem.ts'
import { CallerQuotas } from './core/quotas.ts'
import { RingKeys } from './core/ring-keys.ts'
import { ringSettingsOf } from './core/ring-settings.ts'
import { AesSealer } from './core/seal.ts'
import { checkSharedRings } from './core/shared-rings.ts'
import { openKeyStores } from './crypto/external/open.ts'
import { SoftwareBackend } from './crypto/software.ts'
import type { Pkcs11Backend } from './hsm/pkcs11.ts'
import { loadAddon, type NativeAddon } from './native/addon.ts'
import { Observation } from './observe.ts'
import {
  type RecoveryDeps,
  type RecoveryOptions,
  type RecoveryReport,
  type RestoreReport,
  restoreBackup,
  verifyBackup,
} from './recovery.ts'
import { reloader, rereadable } from './reload.ts'
import { describeRootKey, rootOfBackup } from './root-key.ts'
import { Service } from './service.ts'
import { sealedSurfaces, surfacesOf } from './surfaces.ts'
import {
  auditKeys,
  BACKUP_KEY,
  Closers,
  context,
  databasePath,
  openAudit,
  openMaterialIds,
  openTokens,
  openVault,
  SESSION_KEY,
  type Vault,
} from './vault.ts'
import { VERSION } from './version.ts'

export { rotateRootKey, sweepTokens, verifyInstallation } from './offline.ts'
export { isInstalled, probeHsm } from './vault.ts'

/** Keys are in this process's memory: production keeps that memory out of files. */
function forbidCoreDumps(config: Config, log: Logger, addon: NativeAddon | undefined): void {
  if (config.profile !== 'production') return
  if (addon !== undefined) addon.forbidCoreDumps()
  else log.warn('core dumps are not turned off, for want of the native add-on: set LimitCORE=0, or ulimit -c 0')
}

/** Said once at the start: without the add-on everything works, some of it slowly. */
function openAddon(config: Config, log: Logger): NativeAddon | undefined {
  const { addon, missing } = config.native === 'off' ? { missing: 'native is off' } : loadAddon()
  forbidCoreDumps(config, log, addon)
  if (addon === undefined) log.warn({ reason: missing }, 'no native add-on: envelopes and some signatures are slower')
  return addon
}

/** What callers keep must open after the root key was moved, so it is sealed under a key of its own. */
const backupSealer = async ({ store, sealer }: Vault): Promise<Sealer> =>
  new AesSealer(createSecretKey(await ensureSecret(store, sealer, BACKUP_KEY, () => randomBytes(32))))

async function openDirectory(config: Config, { store, sealer }: Vault, clock: Clock, secrets: typeof readSecret) {
  const fixed = fixedPrincipals(config.aws.principals, secrets)
  const directory = new Directory({ store, sealer, clock, fixed })
  await directory.start()
  const key = createSecretKey(await ensureSecret(store, sealer, SESSION_KEY, () => randomBytes(32)))
  return { directory, sessions: new Sessions(key, directory, clock) }
}

/** Whom Azure's roles and Google's policies give what. */
async function openBooks(store: Store) {
  const [roles, policies] = [new RoleBook(store), new PolicyBook(store)]
  await roles.start()
  await policies.start()
  return { roles, policies }
}

export type Trefoil = {
  readonly server: Server
  readonly kernel: Kernel
  readonly store: Store
  readonly realm: Realm
  readonly log: Logger
  /** What external callers may use, for whoever replaces it. */
  readonly exposures: Exposures
  /** Where the root key is, for the operator. @throws Problem where its escrow is not its own */
  rootKey(): Promise<string>
  /** The administrator's commands, as the socket has them. */
  readonly admin: Admin
  /** Takes up what an earlier process left, without serving: commands need no more. */
  recover(): Promise<void>
  /** Does what fell due since the last stop, then opens the listeners. Whoever only looks (doctor) does not start. */
  start(listeners?: OpenListeners): Promise<readonly BoundListener[]>
  /** Finishes what is in flight, then closes everything. */
  stop(): Promise<void>
}

/** The store knows the tenant that roles are assigned in. */
function inTenant(config: Config, { azure }: Realm, log: Logger): Config {
  const { tenant } = config.realm.azure
  if (azure === undefined || azure.tenant === tenant) return config
  if (tenant !== DEFAULT_TENANT)
    log.warn({ tenant: azure.tenant, configured: tenant }, 'the tenant stays: roles are assigned in it')
  return { ...config, realm: { ...config.realm, azure } }
}

export type ComposeOptions = {
  /** The configuration as it is written now, for a reload. */
  readonly reread?: () => Config
  /** The root key, where a person has opened it. */
  readonly sealer?: Sealer
  /** Of the process that serves; it has a socket of its own then. */
  readonly seal?: () => void
}

async function build(config: Config, options: ComposeOptions, log: Logger, closers: Closers): Promise<Trefoil> {
  const { reread = () => config, seal } = options
  const secrets = rereadable()
  const dev = config.profile === 'dev'
  const clock = dev ? new SettableClock() : new SystemClock()
  closers.add(async () => clock.close())
  const vault = await openVault(config, log, closers, options.sealer)
  const { store, sealer } = vault
  const addon = openAddon(config, log)
  const observation = new Observation(config, log)
  closers.add(() => observation.stop())
  const audit = await openAudit(config, vault, log, addon, observation)
  closers.add(() => audit.close())
  const ringKeys = new RingKeys(store, sealer)
  const software = new SoftwareBackend(ringKeys, addon)
  const keyStores = openKeyStores({ ...keyStoreOptions(config, vault.tokens), store, ringKeys, inner: software })
  closers.add(() => keyStores.external.close())
  const all = [software, ...vault.tokens, keyStores.external].map((backend) => observation.limit(backend))
  const backends = new Backends(all, config.defaultBackend, ringBackends(config.rings))
  const plan = () => ({ ...config.realm, dialects: dev ? DIALECTS : (['aws'] as const), now: clock.now() })
  let realm = await ensureRealm(store, sealer, plan())
  const served = inTenant(config, realm, log)
  const { directory, sessions } = await openDirectory(config, vault, clock, secrets)
  const { roles, policies } = await openBooks(store)
  const authorizer = new ModeAuthorizer({
    modes: config.auth,
    evaluators: { aws: awsEvaluator(store), azure: azureEvaluator(roles), gcp: gcpEvaluator(policies) },
    wouldDeny: ({ dialect, action }, reason) => log.warn({ dialect, action, reason }, 'would be denied'),
  })
  const quotas = new CallerQuotas(config.quotas)
  const kernel: Kernel = new Kernel({
    store,
    backends,
    sealer,
    backupSealer: await backupSealer(vault),
    ringKeys,
    ringSettings: ringSettingsOf(config.rings),
    keyStores: keyStores.gateway,
    materialIds: await openMaterialIds(vault),
    audit,
    authorizer,
    clock,
    quotas,
    provision: dev,
    committed(writes) {
      due.committed(writes)
      directory.committed(writes)
      roles.committed(writes)
      policies.committed(writes)
    },
  })
  closers.add(() => kernel.stop())
  closers.add(() => directory.stop())
  const due = new DueWork({ store, kernel, clock, failed: (err) => log.error({ err }, 'work that fell due failed') })
  closers.add(() => due.stop())
  const homeRealm = (): string => realm.id
  const reset = async (): Promise<void> => {
    await emptyStore(store, (name) => backends.named(name), context())
    ringKeys.forget()
    realm = await ensureRealm(store, sealer, plan())
  }
  const exposures = new Exposures(loadExposures(config.exposures, secrets))
  const checks = readiness(store, audit, backends.all)
  const server = await createServer({
    config: served,
    begin: observation.begin,
    surfaces: surfacesOf({
      config: served,
      log,
      clock,
      directory,
      sessions,
      homeRealm,
      exposures,
      standInKey: () => standInKey(store, sealer),
      managers: [
        keyManager(software, () => undefined),
        ...vault.tokens.map((token) => keyManager(token, () => token.client.token)),
      ],
      placesOf: (keys) => placesOf(store, homeRealm(), keys),
      ready: async () => void (await Promise.all([store.health(), audit.health()])),
    }),
    services: { kernel, clock, log },
    readiness: checks,
    ...(clock instanceof SettableClock && {
      dev: { clock, settle: () => due.settle(), soonest: () => due.soonest(), reset },
    }),
  })
  closers.add(async () => void (await server.stop()))
  observation.watch({ kernel, audit, due, server, quotas, tokens: vault.tokens, readiness: checks, log })
  const { account } = config.realm.aws
  const rootKey = () => describeRootKey(config.rootKey, sealer)
  let serving = false
  const parts = { version: VERSION, serving: () => serving, profile: config.profile, checks, audit, rootKey }
  const { auth, profile } = config
  const reload = reloader({ config, reread, readSecret: secrets, server, observation, exposures, directory, log })
  const status = statusOf(parts)
  const backups = await openBackups(config, vault)
  const admin = createAdmin({ kernel, directory, homeRealm, account, auth, profile, backups, status, reload, seal })
  const start = async (listeners?: OpenListeners): Promise<readonly BoundListener[]> => {
    if (!dev) await checkSharedRings(store, config.auth)
    await kernel.start()
    await due.settle()
    const bound = await server.start(listeners)
    await observation.start(log)
    const closeSocket = seal === undefined ? await openSocket(config.dataDir, admin, log) : undefined
    if (closeSocket !== undefined) closers.add(closeSocket)
    serving = true
    return bound
  }
  return {
    server,
    kernel,
    store,
    realm,
    log,
    exposures,
    admin,
    recover: () => kernel.start(),
    rootKey,
    start,
    stop: () => closers.run(),
  }
}

async function openBackups(config: Config, vault: Vault): Promise<Backups> {
  const { signer } = await auditKeys(vault)
  const { rootKey, dataDir, audit, backup } = config
  const { sealer, installation } = vault
  return new Backups({
    database: databasePath(config),
    audit: audit.path,
    checkpoints: audit.checkpoints,
    ...(rootKey.type === 'pkcs11' && rootKey.escrow !== undefined && { escrow: rootKey.escrow.path }),
    directory: join(dataDir, 'backups'),
    recipients: backup.recipients,
    version: VERSION,
    installation,
    signer: {
      privateKey: signer.export({ type: 'pkcs8', format: 'der' }),
      publicKey: createPublicKey(signer).export({ type: 'spki', format: 'der' }),
    },
    root: () => rootOfBackup(rootKey, sealer),
  })
}

export const makeService = (config: Config, reread: () => Config): Service =>
  new Service(config, {
    compose,
    reread,
    sealedServer: (settings, log) => createSealedServer(settings, log),
  })

/** Refuses everything in its dialect's own words. */
async function createSealedServer(config: Config, log: Logger): Promise<Server> {
  const clock = new SystemClock()
  return createServer({
    config,
    surfaces: sealedSurfaces(config, log, clock),
    services: { sealed: true, log },
    readiness: [],
  })
}

/** What a backup is brought back with. */
const recoveryDeps = (config: Config): RecoveryDeps => ({
  openTokens: (installation, closers) => openTokens(config, createLogger(config.log), closers, installation),
  software: (ringKeys) => new SoftwareBackend(ringKeys),
})

export const restore = (config: Config, options: RecoveryOptions): Promise<RestoreReport> =>
  restoreBackup(config, options, recoveryDeps(config))
export const testRestore = (config: Config, options: RecoveryOptions, scratch: string): Promise<RecoveryReport> =>
  verifyBackup(config, options, scratch, recoveryDeps(config))

function keyStoreOptions({ keyStores }: Config, tokens: readonly Pkcs11Backend[]) {
  const clusters = keyStores.clusters.map(({ hsm, password, ...cluster }) => {
    const backend = tokens.find(({ name }) => name === `pkcs11:${hsm}`)
    if (backend === undefined) throw new Problem(`no hsm is named ${hsm}`, 'name one of the hsm entries')
    return { ...cluster, backend, password: readSecret(password, `the password of ${cluster.id}`) }
  })
  return { clusters, proxies: keyStores.proxies }
}

function readiness(
  store: Store,
  audit: { health(): Promise<void> },
  backends: readonly CryptoBackend[],
): HealthCheck[] {
  return [
    { name: 'store', check: () => store.health() },
    { name: 'audit', check: () => audit.health() },
    ...backends.map((backend) => ({ name: backend.name, check: () => backend.health(context()) })),
  ]
}

/**
 * Everything but the listeners.
 * @throws Problem or StartError; nothing stays open then
 */
export async function compose(config: Config, options: ComposeOptions = {}): Promise<Trefoil> {
  const closers = new Closers()
  try {
    return await build(config, options, createLogger(config.log), closers)
  } catch (error) {
    await closers.run()
    throw error
  }
}

// Not awaited: the command line imports this file, which has to be evaluated first.
if (import.meta.main) void import('./cli.ts').then(({ runCli }) => runCli(['serve', ...process.argv.slice(2)]))
