/** Backups brought back: into an empty data directory, or into a scratch one to see whether they could be. */
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject, randomUUID } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isChange, type LostRecord, recordsAfter } from './audit/lost.ts'
import { verifyAudit } from './audit/verify.ts'
import { fingerprintOf, type Manifest } from './backup/format.ts'
import { type Applied, applyBackups, type BackupSource, type Target, targetIn } from './backup/read.ts'
import type { Config } from './config.ts'
import { checkSeals, type SealReport } from './core/check-seals.ts'
import { keptSecret } from './core/installation.ts'
import type { CryptoBackend, Sealer, Store } from './core/ports.ts'
import { Problem } from './core/problem.ts'
import { reseal } from './core/reseal.ts'
import { forwardCounts, restoreRecord } from './core/restored.ts'
import type { RingKeys } from './core/ring-keys.ts'
import { isUnder } from './core/root-check.ts'
import { AesSealer } from './core/seal.ts'
import type { Pkcs11Backend } from './hsm/pkcs11.ts'
import { describeRootKey, openRootKey } from './root-key.ts'
import { syncTree } from './store/files.ts'
import { lockDirectory } from './store/lock.ts'
import { integrityProblem } from './store/restore-tables.ts'
import { openSqliteStore, type SqliteStore } from './store/sqlite.ts'
import { AUDIT_KEY, CHECKPOINT_KEY, Closers, context, databasePath } from './vault.ts'

export type RecoveryOptions = {
  /** The full backup first, then its increments. */
  readonly sources: readonly BackupSource[]
  readonly identities: readonly string[]
  /** Fingerprint of the installation that must have made it. */
  readonly signer?: string | undefined
  /** An audit log that outlived its server, to tell what is lost. */
  readonly survived?: string | undefined
}

export type RecoveryDeps = {
  openTokens(installation: string, closers: Closers): Promise<readonly Pkcs11Backend[]>
  software(ringKeys: RingKeys): CryptoBackend
}

export type RecoveryReport = {
  readonly id: string
  readonly createdAt: string
  readonly version: string
  readonly installation: string
  /** Fingerprint of the key that signed it. */
  readonly signer: string
  readonly seals: SealReport
  /** Number of the last record in the audit log. */
  readonly auditRecords: number
}
export type RestoreReport = RecoveryReport & {
  readonly rootKey: string
  readonly countsForwarded: number
  /** Changes that a surviving audit log tells of, and the restored store does not have; undefined: nobody could tell. */
  readonly lost?: { readonly records: number; readonly changes: readonly LostRecord[] }
}

type Opened = {
  readonly store: SqliteStore
  readonly sealer: Sealer
  readonly tokens: readonly Pkcs11Backend[]
  readonly report: RecoveryReport
  readonly auditKey: KeyObject
  readonly head: { readonly seq: number; readonly mac: string }
}

const wrong = (what: string, fix = 'take another backup'): Problem => new Problem(what, fix)

/** The root key that the backup is under. @throws Problem */
async function rootOf({ root }: Manifest, config: Config, tokens: readonly Pkcs11Backend[]): Promise<Sealer> {
  if (root.kind === 'key') {
    const bytes = Buffer.from(root.key, 'base64')
    try {
      return new AesSealer(createSecretKey(bytes))
    } finally {
      bytes.fill(0)
    }
  }
  const place = config.previousRootKey ?? config.rootKey
  if (place.type !== 'pkcs11') {
    throw wrong(
      `the backup's root key, labelled ${root.label}, is in a token and not in the backup`,
      'name the token that holds it under rootKey, or under previousRootKey to move away from it',
    )
  }
  return openRootKey(place, tokens, false)
}

async function openKeys(store: Store, sealer: Sealer) {
  const auditKey = createSecretKey(await keptSecret(store, sealer, AUDIT_KEY))
  const der = Buffer.from(await keptSecret(store, sealer, CHECKPOINT_KEY))
  return { auditKey, publicKey: createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })) }
}

/** Everything that can be checked of what a backup was applied to. @throws Problem, with everything still open */
async function examine(
  applied: Applied,
  target: Target,
  config: Config,
  { signer }: RecoveryOptions,
  deps: RecoveryDeps,
  closers: Closers,
): Promise<Opened> {
  const { manifest } = applied
  const fingerprint = fingerprintOf(Buffer.from(manifest.signer, 'base64'))
  if (signer !== undefined && signer !== fingerprint) {
    throw wrong(`another installation made the backup: its signer is ${fingerprint}`, 'name that signer if it is meant')
  }
  const store = openSqliteStore(target.database)
  closers.add(() => store.close())
  const integrity = integrityProblem(target.database)
  if (integrity !== undefined) throw wrong(`the database of the backup is damaged: ${integrity}`)
  const tokens = await deps.openTokens(manifest.installation, closers)
  const sealer = await rootOf(manifest, config, tokens)
  if ((await isUnder(store, sealer)) !== true) throw wrong("the backup's root key is not the one of its keys")
  const { auditKey, publicKey } = await openKeys(store, sealer)
  if (
    !publicKey.equals(createPublicKey({ key: Buffer.from(manifest.signer, 'base64'), format: 'der', type: 'spki' }))
  ) {
    throw wrong('the backup is not signed by the installation that it is of')
  }
  const verdict = verifyAudit({ directory: target.audit, checkpoints: target.checkpoints, key: auditKey, publicKey })
  if (!verdict.ok) throw wrong(`the audit log of the backup does not verify: ${verdict.problem}`)
  const seals = await checkSeals(store, sealer, deps.software, context())
  const [first] = seals.problems
  if (first !== undefined) throw wrong(`${seals.problems.length} seals of the backup do not open, the first: ${first}`)
  const { id, createdAt, version, installation } = manifest
  const report = { id, createdAt, version, installation, signer: fingerprint, seals, auditRecords: verdict.records }
  return { store, sealer, tokens, report, auditKey, head: verdict.head }
}

/** A test restore: leaves nothing behind. @throws Problem, with the reason why it could not be restored */
export async function verifyBackup(
  config: Config,
  options: RecoveryOptions,
  scratch: string,
  deps: RecoveryDeps,
): Promise<RecoveryReport> {
  const directory = mkdtempSync(join(scratch, 'trefoil-verify-'))
  const closers = new Closers()
  try {
    const target = targetIn(directory)
    const applied = await applyBackups(options.sources, options.identities, target)
    return (await examine(applied, target, config, options, deps, closers)).report
  } finally {
    await closers.run()
    rmSync(directory, { recursive: true, force: true })
  }
}

const STAGE = '.restoring'
/** In the stage, once its parts are on their way to where they belong. */
const MOVING = 'moving'

/** What an attempt had moved already that was cut short. */
function takeBack({ dataDir, audit }: Config): void {
  if (!existsSync(join(dataDir, STAGE, MOVING)) || existsSync(join(dataDir, basename(targetIn('').database)))) return
  for (const path of [audit.path, audit.checkpoints, join(dataDir, basename(targetIn('').escrow))]) {
    rmSync(path, { recursive: true, force: true })
  }
}

/** @throws Problem */
function requireEmpty(config: Config): void {
  const { dataDir, audit, rootKey } = config
  const own = [
    'trefoil.lock',
    'trefoil.lock-journal',
    'trefoil.pid',
    STAGE,
    ...('path' in rootKey ? [basename(rootKey.path)] : []),
  ]
  const found = readdirSync(dataDir).find((name) => !own.includes(name))
  if (found !== undefined) {
    throw new Problem(`${dataDir} is not empty: there is ${found}`, 'restore into an empty data directory')
  }
  const elsewhere = [audit.path, audit.checkpoints].find((path) => existsSync(path))
  if (elsewhere !== undefined) {
    throw new Problem(
      `there is a log in ${elsewhere} already`,
      'move it away, and give its directory to --audit to learn what is lost',
    )
  }
}

/** Of the same file system, or copied. */
function move(from: string, to: string): void {
  if (!existsSync(from)) return
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    cpSync(from, to, { recursive: true })
    syncTree(to)
  }
}

/** The database last: there is an installation once it is there. */
function install(staged: Target, config: Config): void {
  mkdirSync(join(config.audit.path, '..'), { recursive: true, mode: 0o700 })
  mkdirSync(join(config.audit.checkpoints, '..'), { recursive: true, mode: 0o700 })
  writeFileSync(join(staged.directory, MOVING), '')
  syncTree(staged.directory)
  move(staged.audit, config.audit.path)
  move(staged.checkpoints, config.audit.checkpoints)
  move(staged.escrow, join(config.dataDir, basename(staged.escrow)))
  move(staged.database, databasePath(config))
  syncTree(config.dataDir)
}

function lostIn(directory: string, { auditKey, head }: Opened): NonNullable<RestoreReport['lost']> {
  let records = 0
  const changes: LostRecord[] = []
  for (const record of recordsAfter(directory, auditKey, head)) {
    records += 1
    if (isChange(record)) changes.push(record)
  }
  return { records, changes }
}

/** The store moves to the root key that the configuration names, and says that it is a restored one. */
async function takeOver(opened: Opened, config: Config): Promise<{ rootKey: string; countsForwarded: number }> {
  const { store, sealer, tokens } = opened
  const stays = !(sealer instanceof AesSealer) && config.previousRootKey === undefined
  const root = stays ? sealer : await openRootKey(config.rootKey, tokens, true)
  if (!stays) await reseal(store, sealer, root)
  const countsForwarded = await forwardCounts(store)
  const record = restoreRecord(randomUUID())
  await store.commit([{ kind: 'insert', collection: 'outbox', row: { id: record.id, record, after: opened.head.seq } }])
  return { rootKey: await describeRootKey(config.rootKey, root), countsForwarded }
}

/** Cut short at any point it is done again; there is an installation once it is whole. @throws Problem */
export async function restoreBackup(
  config: Config,
  options: RecoveryOptions,
  deps: RecoveryDeps,
): Promise<RestoreReport> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(config.dataDir)
  const closers = new Closers()
  try {
    takeBack(config)
    requireEmpty(config)
    const staged = targetIn(join(config.dataDir, STAGE))
    rmSync(staged.directory, { recursive: true, force: true })
    mkdirSync(staged.directory, { mode: 0o700 })
    const applied = await applyBackups(options.sources, options.identities, staged)
    const opened = await examine(applied, staged, config, options, deps, closers)
    const taken = await takeOver(opened, config)
    const lost = options.survived === undefined ? {} : { lost: lostIn(options.survived, opened) }
    // Closing empties the side files into the database.
    await closers.run()
    install(staged, config)
    rmSync(staged.directory, { recursive: true, force: true })
    return { ...opened.report, ...taken, ...lost }
  } finally {
    await closers.run()
    lock.release()
  }
}
