/** The composition root: the only file that names concrete classes. Tests use the same one. */
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Admin, createAdmin } from './api/admin/index.ts'
import { openSocket } from './api/admin/socket.ts'
import { statusOf } from './api/admin/status.ts'
import { createAwsSurface } from './api/aws/index.ts'
import { quotasWith } from './api/aws/quotas.ts'
import { azureSurface } from './api/azure/index.ts'
import { createCloudEkmSurface } from './api/ekm/cloud/index.ts'
import { Exposures } from './api/exposures.ts'
import { gcpSurface } from './api/gcp/index.ts'
import type { HealthCheck } from './api/http/health.ts'
import { createLogger } from './api/http/logging.ts'
import { type BoundListener, createServer, type Server } from './api/server.ts'
import { nodeFiles } from './audit/files.ts'
import { openAuditLog } from './audit/log.ts'
import { type AuditVerdict, verifyAudit } from './audit/verify.ts'
import { loadExposures } from './config/exposures/index.ts'
import { fixedPrincipals } from './config/principals.ts'
import { ringBackends } from './config/rings.ts'
import { type Config, type HsmConfig, hsmEnvironment, readSecret } from './config.ts'
import { Backends } from './core/backends.ts'
import { SettableClock, SystemClock } from './core/clock.ts'
import { DueWork } from './core/due.ts'
import {
  emptyStore,
  ensureRealm,
  ensureSecret,
  installationId,
  keepInstallationId,
  versionsWithMaterial,
} from './core/installation.ts'
import { Kernel } from './core/kernel.ts'
import { DIALECTS, type Realm } from './core/key.ts'
import { awsEvaluator } from './core/policy/aws/evaluator.ts'
import { azureEvaluator } from './core/policy/azure/evaluator.ts'
import { RoleBook } from './core/policy/azure/role-book.ts'
import { gcpEvaluator } from './core/policy/gcp/evaluator.ts'
import { PolicyBook } from './core/policy/gcp/policy-book.ts'
import { ModeAuthorizer } from './core/policy/modes.ts'
import type { AuditRecord, CallContext, Clock, CryptoBackend, Sealer, Store } from './core/ports.ts'
import { Directory } from './core/principals/directory.ts'
import { Sessions } from './core/principals/sessions.ts'
import { Problem } from './core/problem.ts'
import { reseal } from './core/reseal.ts'
import { RingKeys } from './core/ring-keys.ts'
import { ringSettingsOf } from './core/ring-settings.ts'
import { checkRootKey, isUnder } from './core/root-check.ts'
import { AesSealer } from './core/seal.ts'
import { openKeyStores } from './crypto/external/open.ts'
import { nativeMac } from './crypto/native.ts'
import { SoftwareBackend } from './crypto/software.ts'
import { openPkcs11Backend, type Pkcs11Backend, type HsmConfig as TokenConfig } from './hsm/pkcs11.ts'
import { probeToken, type TokenReport } from './hsm/probe.ts'
import { type SweepReport, sweepToken } from './hsm/sweep.ts'
import { loadAddon, type NativeAddon } from './native/addon.ts'
import { Observation } from './observe.ts'
import { describeRootKey, findRootKey, openRootKey, ROOT_KEY_FIX } from './root-key.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { VERSION } from './version.ts'

const DATABASE = 'trefoil.db'
const AUDIT_KEY = 'audit-key'
const CHECKPOINT_KEY = 'checkpoint-key'
const SESSION_KEY = 'session-key'
const BACKUP_KEY = 'backup-key'

/** A server has started on this data directory before, or `init` has run. */
export const isInstalled = (config: Config): boolean => existsSync(join(config.dataDir, DATABASE))

/** @throws Problem */
function requireInstallation(config: Config, consequence: string): void {
  if (isInstalled(config)) return
  throw new Problem(
    `there is no installation in ${config.dataDir}, ${consequence}`,
    'point TREFOIL_DATA_DIR, or dataDir in the configuration file, at the data directory of the server',
  )
}

const context = (): CallContext => ({ signal: new AbortController().signal, requestId: randomUUID() })

const readPin = ({ name, pin }: HsmConfig): string =>
  readSecret(pin, `the PIN of hsm ${name}`).use((bytes) => Buffer.from(bytes).toString('utf8'))

function hsmOptions(config: Config, { standby, ...hsm }: HsmConfig): TokenConfig {
  const common = { env: hsmEnvironment(config), native: config.native }
  const pin = readPin(hsm)
  if (standby === undefined) return { ...hsm, ...common, pin }
  // A descriptor can be read once only.
  const itsPin = standby.pin === hsm.pin ? pin : readPin(standby)
  return { ...hsm, ...common, pin, standby: { ...standby, ...common, pin: itsPin } }
}

export const probeHsm = (config: Config, hsm: HsmConfig): Promise<TokenReport> => probeToken(hsmOptions(config, hsm))

/** What to run when it is all over, the last opened first. */
class Closers {
  readonly #closers: (() => Promise<void>)[] = []

  add(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  async run(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }
}

/** What happens to each token goes to the log. */
const listening = (token: TokenConfig, log: Logger): TokenConfig => ({
  ...token,
  onEvent: (event) => log.warn({ hsm: token.name, event }, 'token'),
  ...(token.standby && { standby: listening(token.standby, log) }),
})

async function openTokens(
  config: Config,
  log: Logger,
  closers: Closers,
  installation: string,
): Promise<readonly Pkcs11Backend[]> {
  return Promise.all(
    config.hsm.map(async (hsm) => {
      const backend = await openPkcs11Backend(listening(hsmOptions(config, hsm), log), installation)
      closers.add(() => backend.close())
      return backend
    }),
  )
}

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

type Opened = {
  readonly store: Store
  readonly tokens: readonly Pkcs11Backend[]
  readonly installation: string
}
type Vault = Opened & { readonly sealer: Sealer }

async function openStore(config: Config, log: Logger, closers: Closers): Promise<Opened & { readonly fresh: boolean }> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const store = openSqliteStore(join(config.dataDir, DATABASE), { warn: (message) => log.warn(message) })
  closers.add(() => store.close())
  const installation = (await installationId(store)) ?? randomUUID()
  const tokens = await openTokens(config, log, closers, installation)
  return { store, tokens, installation, fresh: (await store.count('meta', 'all', [])) === 0 }
}

/** Store, tokens and root key, checked to belong together. @throws Problem, StartError */
async function openVault(config: Config, log: Logger, closers: Closers): Promise<Vault> {
  const { store, tokens, installation, fresh } = await openStore(config, log, closers)
  const { rootKey, previousRootKey } = config
  const sealer = await openRootKey(rootKey, tokens, fresh)
  const fix = previousRootKey === undefined ? ROOT_KEY_FIX[rootKey.type] : 'run trefoil rotate-root'
  await checkRootKey(store, sealer, fix)
  // Last: a store with rows in it has a root key.
  await keepInstallationId(store, installation)
  return { store, sealer, tokens, installation }
}

/**
 * Moves everything from `previousRootKey` to `rootKey`, in one commit; a run that was cut short is done again.
 * Needs the data directory to itself.
 * @returns how many seals were made, 0 where it was done already
 * @throws Problem
 */
export async function rotateRootKey(config: Config): Promise<number> {
  const { rootKey, previousRootKey } = config
  requireInstallation(config, 'and so no root key to move')
  const closers = new Closers()
  try {
    const { store, tokens } = await openStore(config, createLogger(config.log), closers)
    const there = await findRootKey(rootKey, tokens)
    if (there !== undefined && (await isUnder(store, there))) return 0
    if (previousRootKey === undefined) {
      throw new Problem(
        'previousRootKey does not say which root key to move from',
        'write the settings of the new root key under rootKey, and those of the old one under previousRootKey',
      )
    }
    const from = await openRootKey(previousRootKey, tokens, false)
    await checkRootKey(store, from, `previousRootKey is not the one: ${ROOT_KEY_FIX[previousRootKey.type]}`)
    return await reseal(store, from, there ?? (await openRootKey(rootKey, tokens, true)))
  } finally {
    await closers.run()
  }
}

const newSigner = (): Uint8Array => {
  const { privateKey } = generateKeyPairSync('ed25519')
  return privateKey.export({ type: 'pkcs8', format: 'der' })
}

async function auditKeys({ store, sealer }: Vault): Promise<{ key: KeyObject; signer: KeyObject }> {
  const key = createSecretKey(await ensureSecret(store, sealer, AUDIT_KEY, () => randomBytes(32)))
  const der = Buffer.from(await ensureSecret(store, sealer, CHECKPOINT_KEY, newSigner))
  return { key, signer: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) }
}

async function openAudit(config: Config, vault: Vault, log: Logger, addon?: NativeAddon, observation?: Observation) {
  const chain = await auditKeys(vault)
  return openAuditLog({
    directory: config.audit.path,
    checkpoints: config.audit.checkpoints,
    ...chain,
    mac: addon && nativeMac(addon, chain.key),
    files: nodeFiles(addon?.append),
    recorded: observation?.recorded,
    warn: (message, err) => log.warn(err === undefined ? {} : { err }, message),
  })
}

/** What callers keep must open after the root key was moved, so it is sealed under a key of its own. */
const backupSealer = async ({ store, sealer }: Vault): Promise<Sealer> =>
  new AesSealer(createSecretKey(await ensureSecret(store, sealer, BACKUP_KEY, () => randomBytes(32))))

/** Needs the data directory to itself, as a server does. @throws Problem where there is no installation: looking makes none */
export async function verifyInstallation(config: Config): Promise<AuditVerdict> {
  requireInstallation(config, 'and so no audit log to verify')
  const closers = new Closers()
  try {
    const { key, signer } = await auditKeys(await openVault(config, createLogger(config.log), closers))
    const { path: directory, checkpoints } = config.audit
    return verifyAudit({ directory, checkpoints, key, publicKey: createPublicKey(signer) })
  } finally {
    await closers.run()
  }
}

async function openDirectory(config: Config, { store, sealer }: Vault, clock: Clock) {
  const fixed = fixedPrincipals(config.aws.principals, readSecret)
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

/**
 * Compares the tokens with the store; `remove` destroys what the installation made and the store does not know. Needs the
 * data directory to itself: what a server is making is not in the store yet. @throws Problem
 */
export async function sweepTokens(config: Config, remove: boolean): Promise<readonly SweepReport[]> {
  requireInstallation(config, 'and so nothing to compare tokens with')
  const closers = new Closers()
  try {
    const log = createLogger(config.log)
    const vault = await openVault(config, log, closers)
    const audit = remove ? await openAudit(config, vault, log) : undefined
    if (audit !== undefined) closers.add(() => audit.close())
    const reports: SweepReport[] = []
    for (const token of vault.tokens) {
      const report = await sweepToken(token, vault.installation, versionsWithMaterial(vault.store), context())
      reports.push(report)
      for (const orphan of audit === undefined ? [] : report.orphans) {
        await audit?.append(sweepRecord(token.name))
        await token.client.call('destroyKey', { key: orphan }, context())
      }
    }
    return reports
  } finally {
    await closers.run()
  }
}

/** One for each object, before it is destroyed. */
const sweepRecord = (backend: string): AuditRecord => ({
  id: randomUUID(),
  time: Date.now(),
  requestId: randomUUID(),
  dialect: 'system',
  wire: 'hsm sweep',
  operation: 'SweepToken',
  action: 'sweep-token',
  principal: `system:${backend}`,
  method: 'system',
  decision: 'allow',
  outcome: 'ok',
  durationMs: 0,
})

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
  /** Reads the listeners' certificates again. @throws Problem where one is bad; then none is changed */
  reloadCertificates(): Promise<void>
  /** Takes up what an earlier process left, without serving: commands need no more. */
  recover(): Promise<void>
  /** Does what fell due since the last stop, then opens the listeners. Whoever only looks (doctor) does not start. */
  start(): Promise<readonly BoundListener[]>
  /** Finishes what is in flight, then closes everything. */
  stop(): Promise<void>
}

async function build(config: Config, log: Logger, closers: Closers): Promise<Trefoil> {
  const dev = config.profile === 'dev'
  const clock = dev ? new SettableClock() : new SystemClock()
  closers.add(async () => clock.close())
  const vault = await openVault(config, log, closers)
  const { store, sealer } = vault
  const addon = openAddon(config, log)
  const observation = new Observation(config)
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
  const { directory, sessions } = await openDirectory(config, vault, clock)
  const { roles, policies } = await openBooks(store)
  const authorizer = new ModeAuthorizer({
    modes: config.auth,
    evaluators: { aws: awsEvaluator(store), azure: azureEvaluator(roles), gcp: gcpEvaluator(policies) },
    wouldDeny: ({ dialect, action }, reason) => log.warn({ dialect, action, reason }, 'would be denied'),
  })
  const kernel: Kernel = new Kernel({
    store,
    backends,
    sealer,
    backupSealer: await backupSealer(vault),
    ringKeys,
    ringSettings: ringSettingsOf(config.rings),
    keyStores: keyStores.gateway,
    audit,
    authorizer,
    clock,
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
  const exposures = new Exposures(loadExposures(config.exposures, readSecret))
  const checks = readiness(store, audit, backends.all)
  const server = await createServer({
    config,
    surfaces: [
      gcpSurface,
      createAwsSurface({
        directory,
        sessions,
        skewMs: config.aws.clockSkewMs,
        homeRealm,
        quotas: config.aws.quotas && quotasWith(config.aws.quotas),
      }),
      azureSurface,
      createCloudEkmSurface({ exposures, homeRealm, version: VERSION }),
    ],
    services: { kernel, clock, log },
    readiness: checks,
    ...(clock instanceof SettableClock && {
      dev: { clock, settle: () => due.settle(), soonest: () => due.soonest(), reset },
    }),
  })
  closers.add(async () => void (await server.stop()))
  observation.watch({ kernel, audit, due, server, tokens: vault.tokens, readiness: checks })
  const { account } = config.realm.aws
  const rootKey = () => describeRootKey(config.rootKey, sealer)
  let serving = false
  const parts = { version: VERSION, serving: () => serving, profile: config.profile, checks, audit, rootKey }
  const { auth, profile } = config
  const admin = createAdmin({ kernel, directory, homeRealm, account, auth, profile, status: statusOf(parts) })
  const start = async (): Promise<readonly BoundListener[]> => {
    await kernel.start()
    await due.settle()
    const bound = await server.start()
    await observation.start(log)
    const closeSocket = await openSocket(config.dataDir, admin, log)
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
    async reloadCertificates() {
      const put = [await server.readCertificates(), observation.readCertificates()]
      for (const one of put) one()
    },
    recover: () => kernel.start(),
    rootKey,
    start,
    stop: () => closers.run(),
  }
}

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

/** Everything but the listeners. @throws Problem or StartError; nothing stays open then */
export async function compose(config: Config): Promise<Trefoil> {
  const closers = new Closers()
  try {
    return await build(config, createLogger(config.log), closers)
  } catch (error) {
    await closers.run()
    throw error
  }
}

// Not awaited: the command line imports this file, which has to be evaluated first.
if (import.meta.main) void import('./cli.ts').then(({ runCli }) => runCli(['serve', ...process.argv.slice(2)]))
