/** What needs the data directory to itself: no server runs on it meanwhile. */
import { createPublicKey, randomUUID } from 'node:crypto'
import { createLogger } from './api/http/logging.ts'
import { type AuditVerdict, verifyAudit } from './audit/verify.ts'
import type { Config } from './config.ts'
import { versionsWithMaterial } from './core/installation.ts'
import type { AuditRecord } from './core/ports.ts'
import { Problem } from './core/problem.ts'
import { reseal } from './core/reseal.ts'
import { checkRootKey, isUnder } from './core/root-check.ts'
import { type SweepReport, sweepToken } from './hsm/sweep.ts'
import { findRootKey, openRootKey, ROOT_KEY_FIX } from './root-key.ts'
import { auditKeys, Closers, context, openAudit, openStore, openVault, requireInstallation } from './vault.ts'

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
