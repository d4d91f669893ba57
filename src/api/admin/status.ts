/** What `trefoil status` says of a server, besides what is in its store. */
import type { AuditLog } from '../../core/ports.ts'
import { examine, type HealthCheck, type ServiceState } from '../http/health.ts'

export type Status = {
  readonly state: ServiceState
  readonly version: string
  /** False in a process that was started for a command. */
  readonly serving: boolean
  readonly profile: string
  readonly pid: number
  readonly startedAt: string
  /** Where the root key is. */
  readonly rootKey: string
  readonly checks: Readonly<Record<string, string>>
  /** Number of the audit log's last durable record. */
  readonly auditRecords?: number
}

export type StatusParts = {
  readonly version: string
  serving(): boolean
  readonly profile: string
  readonly checks: readonly HealthCheck[]
  readonly audit: Pick<AuditLog, 'last'>
  rootKey(): Promise<string>
}

export function statusOf({ version, serving, profile, checks, audit, rootKey }: StatusParts): () => Promise<Status> {
  const startedAt = new Date().toISOString()
  return async () => {
    const { state, checks: results } = await examine(checks)
    return {
      state,
      version,
      serving: serving(),
      profile,
      pid: process.pid,
      startedAt,
      rootKey: await rootKey().catch((error: Error) => error.message),
      checks: results,
      auditRecords: audit.last,
    }
  }
}
