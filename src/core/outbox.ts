/**
 * Commits a mutation together with its audit record and moves the record into the chain. Drained rows are removed with
 * the next commit, so that auditing a mutation costs no commit of its own; the chain knows which records it has.
 */
import type { AuditLog, AuditRecord, Store, Write } from './ports.ts'

const PAGE = 500

export class Outbox {
  readonly #store: Store
  readonly #audit: AuditLog
  /** Committed, not yet in the chain. */
  readonly #pending = new Map<string, AuditRecord>()
  /** In the chain, row still in the store. */
  #drained: string[] = []
  #draining: Promise<void> | undefined

  constructor(store: Store, audit: AuditLog) {
    this.#store = store
    this.#audit = audit
  }

  /** @throws KmsError conflict, store_unavailable */
  async commit(writes: readonly Write[], record: AuditRecord): Promise<void> {
    const drained = this.#drained
    this.#drained = []
    try {
      await this.#store.commit([
        ...writes,
        { kind: 'insert', collection: 'outbox', row: { id: record.id, record, after: this.#audit.last } },
        ...drained.map((id): Write => ({ kind: 'delete', collection: 'outbox', id, revision: 1 })),
      ])
    } catch (error) {
      this.#drained.push(...drained)
      throw error
    }
    this.#pending.set(record.id, record)
  }

  get size(): number {
    return this.#pending.size
  }

  /** Some record is committed and not yet in the chain. */
  get isPending(): boolean {
    return this.#pending.size > 0
  }

  /**
   * Resolves when every record committed so far is durable in the chain.
   * @throws KmsError audit_unavailable; the records stay pending and are drained when the log is back
   */
  async settle(): Promise<void> {
    while (this.#pending.size > 0) {
      this.#draining ??= this.#drain().finally(() => {
        this.#draining = undefined
      })
      await this.#draining
    }
  }

  async #drain(): Promise<void> {
    const batch = [...this.#pending.values()]
    const results = await Promise.allSettled(batch.map((record) => this.#audit.append(record)))
    for (const [index, { id }] of batch.entries()) {
      if (results[index]?.status !== 'fulfilled') continue
      this.#pending.delete(id)
      this.#drained.push(id)
    }
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** At start: chains what an earlier process had committed and not chained, and removes all rows. */
  async recover(): Promise<void> {
    for (;;) {
      const { rows } = await this.#store.page('outbox', 'all', [], undefined, PAGE)
      if (rows.length === 0) return
      const known = await this.#audit.has(
        rows.map((row) => row.id),
        Math.min(...rows.map((row) => row.after ?? 0)),
      )
      const missing = rows.filter((row) => !known.has(row.id)).sort((a, b) => a.record.time - b.record.time)
      await Promise.all(missing.map((row) => this.#audit.append(row.record)))
      await this.#store.commit(
        rows.map((row): Write => ({ kind: 'delete', collection: 'outbox', id: row.id, revision: row.revision })),
      )
    }
  }
}
