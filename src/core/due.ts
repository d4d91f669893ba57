/** One scheduler for what falls due: key deletions and version destructions, done through the kernel like any request. */
import { randomUUID } from 'node:crypto'
import type { Kernel } from './kernel.ts'
import type { Call } from './operation.ts'
import { destroyDueVersion } from './ops/destroy-version.ts'
import { purgeDueKey } from './ops/purge-key.ts'
import type { Clock, Store, Write } from './ports.ts'

const PAGE = 100
/** After a failure (a token that is away) the work is tried again. */
const RETRY_MS = 5_000

export type DueDeps = {
  readonly store: Store
  readonly kernel: Kernel
  readonly clock: Clock
  /** Told of work that failed; it stays due. */
  readonly failed: (error: unknown) => void
}

export class DueWork {
  readonly #deps: DueDeps
  #cancel: (() => void) | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(deps: DueDeps) {
    this.#deps = deps
  }

  /** Does everything that is due now, then waits for the next. */
  async settle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    if (this.#stopped) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  /** A commit may have made something due sooner than all before. */
  committed(writes: readonly Write[]): void {
    const moves = writes.some(
      (write) =>
        write.kind !== 'delete' &&
        ((write.collection === 'keys' && write.row.deletion !== undefined) ||
          (write.collection === 'versions' && write.row.destroyAt !== undefined)),
    )
    if (moves && this.#running === undefined) void this.#wait()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#running
  }

  async #run(): Promise<void> {
    const { store, clock, failed } = this.#deps
    const until = clock.now()
    let retry = false
    const attempt = async (work: Promise<unknown>): Promise<void> => {
      await work.catch((error: unknown) => {
        retry = true
        failed(error)
      })
    }
    const keys = await this.#dueRows('keys', until)
    for (const key of keys) {
      await attempt(
        this.#deps.kernel.execute(
          purgeDueKey,
          { key: { by: 'id', id: key.id } },
          systemCall(key.realmId, 'PurgeDueKey'),
        ),
      )
    }
    for (const version of await this.#dueRows('versions', until)) {
      const key = await store.get('keys', version.keyId)
      if (key === undefined) continue
      const input = { key: { by: 'id', id: key.id }, version: { by: 'id', id: version.id } } as const
      await attempt(this.#deps.kernel.execute(destroyDueVersion, input, systemCall(key.realmId, 'DestroyDueVersion')))
    }
    await this.#wait(retry ? until + RETRY_MS : undefined)
  }

  async #dueRows<C extends 'keys' | 'versions'>(collection: C, until: number) {
    const rows = []
    let after: string | undefined
    do {
      const page = await this.#deps.store.page(collection, 'due', [], after, PAGE)
      const due = page.rows.filter((row) => (dueAt(row) ?? Number.POSITIVE_INFINITY) <= until)
      rows.push(...due)
      after = due.length < page.rows.length ? undefined : page.next
    } while (after !== undefined)
    return rows
  }

  async #wait(retryAt?: number): Promise<void> {
    const next = retryAt ?? (await this.#soonest())
    this.#cancel?.()
    this.#cancel = undefined
    if (next === undefined || this.#stopped) return
    this.#cancel = this.#deps.clock.schedule(next, () => {
      this.settle().catch(this.#deps.failed)
    })
  }

  async #soonest(): Promise<number | undefined> {
    const { store } = this.#deps
    const keys = await store.page('keys', 'due', [], undefined, 1)
    const versions = await store.page('versions', 'due', [], undefined, 1)
    const times = [...keys.rows, ...versions.rows].map(dueAt).filter((at) => at !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }
}

const dueAt = (row: { deletion?: { dueAt: number }; destroyAt?: number }): number | undefined =>
  row.deletion?.dueAt ?? row.destroyAt

const systemCall = (realmId: string, wire: string): Call => ({
  signal: new AbortController().signal,
  requestId: randomUUID(),
  dialect: 'system',
  wire,
  principal: { id: 'system:clock', method: 'system' },
  realm: { dialect: 'system', realmId },
})
