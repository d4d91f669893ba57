/** A log in a directory of its own, over files whose faults are in the test's hands. */
import { createPublicKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type AuditFile, type AuditFiles, NODE_FILES } from '../../src/audit/files.ts'
import { type AuditLimits, type ChainedAuditLog, openAuditLog } from '../../src/audit/log.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import type { AuditRecord } from '../../src/core/ports.ts'

export const recordOf = (n: number): AuditRecord => ({
  id: `record-${n}`,
  time: 1_700_000_000_000 + n,
  requestId: `request-${n}`,
  dialect: 'aws',
  wire: 'Encrypt',
  operation: 'Encrypt',
  action: 'encrypt',
  principal: 'sigv4:AKIDEXAMPLE',
  method: 'sigv4',
  decision: 'allow',
  outcome: 'ok',
  durationMs: 0.5,
})

/** Where a fault strikes; `hang` holds a sync until it is released. */
export class Faults {
  write: NodeJS.ErrnoException | undefined
  sync: NodeJS.ErrnoException | undefined
  hang: Promise<void> | undefined
  syncs = 0
  bytesRead = 0

  static error(code: string): NodeJS.ErrnoException {
    return Object.assign(new Error(`${code}: made by the test`), { code })
  }

  #wrap(file: AuditFile): AuditFile {
    const wrapped: AuditFile = {
      append: async (bytes, position) => {
        await wrapped.write(bytes, position)
        await wrapped.sync()
      },
      write: async (bytes, position) => {
        // A full disk takes what still fits.
        if (this.write !== undefined) await file.write(bytes.subarray(0, bytes.length >> 1), position)
        if (this.write !== undefined) throw this.write
        await file.write(bytes, position)
      },
      sync: async () => {
        this.syncs++
        await this.hang
        if (this.sync !== undefined) throw this.sync
        await file.sync()
      },
      truncate: (length) => file.truncate(length),
      read: (position, length) => {
        const bytes = file.read(position, length)
        this.bytesRead += bytes.length
        return bytes
      },
      identity: () => file.identity(),
      close: () => file.close(),
    }
    return wrapped
  }

  readonly files: AuditFiles = {
    ...NODE_FILES,
    open: (path) => this.#wrap(NODE_FILES.open(path)),
    create: (path) => this.#wrap(NODE_FILES.create(path)),
  }
}

export type LogWorld = Awaited<ReturnType<typeof makeLog>>

/** Everything is closed and removed with the test. */
export async function makeLog(t: Test, limits: Partial<AuditLimits> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'trefoil-audit-'))
  const [directory, checkpoints] = [join(root, 'audit'), join(root, 'checkpoints')]
  const key = createSecretKey(randomBytes(32))
  const { privateKey: signer } = generateKeyPairSync('ed25519')
  const faults = new Faults()
  const warnings: string[] = []
  const logs: ChainedAuditLog[] = []
  const open = async (): Promise<ChainedAuditLog> => {
    const warn = (message: string): void => void warnings.push(message)
    const fast = { retryMs: 5, ...limits }
    const log = await openAuditLog({ directory, checkpoints, key, signer, warn, files: faults.files, limits: fast })
    logs.push(log)
    return log
  }
  t.teardown(async () => {
    for (const log of logs) await log.close()
    rmSync(root, { recursive: true, force: true })
  })
  const verify = () => verifyAudit({ directory, checkpoints, key, publicKey: createPublicKey(signer) })
  const segments = (): string[] =>
    readdirSync(directory)
      .sort()
      .map((name) => join(directory, name))
  const ids = (): string[] =>
    segments().flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/"id":"([^"]+)"/g)].map(([, id = '']) => id))
  return { root, directory, checkpoints, key, signer, faults, warnings, open, verify, segments, ids }
}

/** One after another, so that each is a batch of its own. */
export async function appendEach(log: ChainedAuditLog, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await log.append(recordOf(n))
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
