/** What a data directory holds, opened: the store, the tokens and the root key that belong together, the audit log. */
import {
  createPrivateKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { nodeFiles } from './audit/files.ts'
import { openAuditLog } from './audit/log.ts'
import { type Config, type HsmConfig, hsmEnvironment, readSecret } from './config.ts'
import { ensureSecret, installationId, keepInstallationId } from './core/installation.ts'
import { MaterialIds } from './core/material-ids.ts'
import type { CallContext, Sealer, Store } from './core/ports.ts'
import { Problem } from './core/problem.ts'
import { checkRootKey } from './core/root-check.ts'
import { nativeMac } from './crypto/native.ts'
import { openPkcs11Backend, type Pkcs11Backend, type HsmConfig as TokenConfig } from './hsm/pkcs11.ts'
import { probeToken, type TokenReport } from './hsm/probe.ts'
import type { NativeAddon } from './native/addon.ts'
import type { Observation } from './observe.ts'
import { openRootKey, ROOT_KEY_FIX } from './root-key.ts'
import { openSqliteStore } from './store/sqlite.ts'

const DATABASE = 'trefoil.db'
export const AUDIT_KEY = 'audit-key'
export const CHECKPOINT_KEY = 'checkpoint-key'
export const SESSION_KEY = 'session-key'
export const BACKUP_KEY = 'backup-key'
const MATERIAL_ID_KEY = 'material-id-key'

/** Ids of imported material stay the same for as long as the installation does. */
export const openMaterialIds = async ({ store, sealer }: Vault): Promise<MaterialIds> =>
  new MaterialIds(createSecretKey(await ensureSecret(store, sealer, MATERIAL_ID_KEY, () => randomBytes(32))))

export const databasePath = (config: Config): string => join(config.dataDir, DATABASE)

/** A server has started on this data directory before, or `init` has run. */
export const isInstalled = (config: Config): boolean => existsSync(databasePath(config))

/** @throws Problem */
export function requireInstallation(config: Config, consequence: string): void {
  if (isInstalled(config)) return
  throw new Problem(
    `there is no installation in ${config.dataDir}, ${consequence}`,
    'point TREFOIL_DATA_DIR, or dataDir in the configuration file, at the data directory of the server',
  )
}

export const context = (): CallContext => ({ signal: new AbortController().signal, requestId: randomUUID() })

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
export class Closers {
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

export async function openTokens(
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

type Opened = {
  readonly store: Store
  readonly tokens: readonly Pkcs11Backend[]
  readonly installation: string
}
export type Vault = Opened & { readonly sealer: Sealer }

export async function openStore(
  config: Config,
  log: Logger,
  closers: Closers,
): Promise<Opened & { readonly fresh: boolean }> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const store = openSqliteStore(databasePath(config), { warn: (message) => log.warn(message) })
  closers.add(() => store.close())
  const installation = (await installationId(store)) ?? randomUUID()
  const tokens = await openTokens(config, log, closers, installation)
  return { store, tokens, installation, fresh: (await store.count('meta', 'all', [])) === 0 }
}

/** Store, tokens and root key, checked to belong together. @param given the root key, where it is open already. @throws Problem, StartError */
export async function openVault(config: Config, log: Logger, closers: Closers, given?: Sealer): Promise<Vault> {
  const { store, tokens, installation, fresh } = await openStore(config, log, closers)
  const { rootKey, previousRootKey } = config
  const sealer = given ?? (await openRootKey(rootKey, tokens, fresh))
  const fix = previousRootKey === undefined ? ROOT_KEY_FIX[rootKey.type] : 'run trefoil rotate-root'
  await checkRootKey(store, sealer, fix)
  // Last: a store with rows in it has a root key.
  await keepInstallationId(store, installation)
  return { store, sealer, tokens, installation }
}

const newSigner = (): Uint8Array => {
  const { privateKey } = generateKeyPairSync('ed25519')
  return privateKey.export({ type: 'pkcs8', format: 'der' })
}

export async function auditKeys({ store, sealer }: Vault): Promise<{ key: KeyObject; signer: KeyObject }> {
  const key = createSecretKey(await ensureSecret(store, sealer, AUDIT_KEY, () => randomBytes(32)))
  const der = Buffer.from(await ensureSecret(store, sealer, CHECKPOINT_KEY, newSigner))
  return { key, signer: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) }
}

export async function openAudit(
  config: Config,
  vault: Vault,
  log: Logger,
  addon?: NativeAddon,
  observation?: Observation,
) {
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
