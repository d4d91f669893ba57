/**
 * One scheduler for what falls due, done through the kernel like any request. What can fall due is a table of sources:
 * an index in order of dates, and the operation that does it.
 */
import { randomUUID } from 'node:crypto'
import type { Kernel } from './kernel.ts'
import { type Key, type KeyVersion, materialExpiry, rotationDue } from './key.ts'
import type { Call, KeyInput, Operation, SecretInput, VersionInput } from './operation.ts'
import { finishConnecting } from './ops/connect-key-store.ts'
import { expireMaterial } from './ops/delete-material.ts'
import { destroyDueVersion } from './ops/destroy-version.ts'
import type { KeyStoreInput } from './ops/key-stores.ts'
import { purgeDueKey } from './ops/purge-key.ts'
import { purgeDueSecret } from './ops/purge-secret.ts'
import { rotateDueKey } from './ops/rotate-key.ts'
import { settleKey } from './ops/settle-key.ts'
import type { Clock, Store, Stored, Write } from './ports.ts'
import type { CollectionName, IndexName, Rows } from './schema.ts'

const PAGE = 500
/** Requests in flight at once: enough to share the log's syncs, few enough to leave the server responsive. */
const CONCURRENCY = 64
/** After a failure (a token that is away) the work is tried again. */
const RETRY_MS = 5_000

type SourceSpec<C extends CollectionName, I> = {
  readonly collection: C
  /** An index of the collection whose tuples are the dates. */
  readonly index: IndexName<C>
  at(row: Rows[C]): number | undefined
  readonly operation: Operation<I, unknown>
  input(row: Rows[C]): I
  /** The realm it happens in; undefined when the row's owner is gone. */
  realm(row: Rows[C], store: Store): Promise<string | undefined>
}
/** One thing to do; it may find that nothing is left of it. */
type Work = (kernel: Kernel) => Promise<unknown>
type Source = {
  /** Of the operation that does it. */
  readonly name: string
  /** How many rows are due, not counting beyond a page. */
  overdue(store: Store, until: number): Promise<number>
  /** When a row that was written falls due. */
  dateOf(write: Write): number | undefined
  first(store: Store): Promise<number | undefined>
  /** What is due, latest first. */
  due(store: Store, until: number): Promise<Work[]>
}

function source<C extends CollectionName, I>(spec: SourceSpec<C, I>): Source {
  const { collection, index, operation } = spec
  const workOf =
    (row: Stored<Rows[C]>, store: Store): Work =>
    async (kernel) => {
      const realmId = await spec.realm(row, store)
      if (realmId !== undefined) await kernel.execute(operation, spec.input(row), systemCall(realmId, operation.name))
    }
  return {
    name: operation.name,
    async overdue(store, until) {
      const [soonest] = (await store.page(collection, index, [], undefined, 1)).rows
      if (soonest === undefined || (spec.at(soonest) ?? until + 1) > until) return 0
      const { rows } = await store.page(collection, index, [], undefined, PAGE)
      return rows.filter((row) => (spec.at(row) ?? until + 1) <= until).length
    },
    dateOf(write) {
      return write.kind === 'delete' || write.collection !== collection ? undefined : spec.at(write.row as Rows[C])
    },
    async first(store) {
      const { rows } = await store.page(collection, index, [], undefined, 1)
      return rows[0] && spec.at(rows[0])
    },
    async due(store, until) {
      const work: Work[] = []
      let after: string | undefined
      do {
        const page = await store.page(collection, index, [], after, PAGE)
        const rows = page.rows.filter((row) => (spec.at(row) ?? Number.POSITIVE_INFINITY) <= until)
        work.push(...rows.map((row) => workOf(row, store)))
        after = rows.length < page.rows.length ? undefined : page.next
      } while (after !== undefined)
      return work.reverse()
    },
  }
}

const keyOf = ({ id }: Key): KeyInput => ({ key: { by: 'id', id } })
const versionOf = ({ id, keyId }: KeyVersion): VersionInput => ({
  key: { by: 'id', id: keyId },
  version: { by: 'id', id },
})

/** In the order in which they are done when several are due at once. */
const SOURCES: readonly Source[] = [
  source({
    collection: 'keys',
    index: 'due',
    at: (row) => row.deletion?.dueAt,
    operation: purgeDueKey,
    input: keyOf,
    realm: async (row) => row.realmId,
  }),
  source({
    collection: 'versions',
    index: 'due',
    at: (row) => (row.state === 'destroy_scheduled' ? row.destroyAt : undefined),
    operation: destroyDueVersion,
    input: versionOf,
    realm: async (row, store) => (await store.get('keys', row.keyId))?.realmId,
  }),
  source({
    collection: 'versions',
    index: 'expiry',
    at: materialExpiry,
    operation: expireMaterial,
    input: versionOf,
    realm: async (row, store) => (await store.get('keys', row.keyId))?.realmId,
  }),
  source({
    collection: 'secrets',
    index: 'due',
    at: (row) => row.deletion?.dueAt,
    operation: purgeDueSecret,
    input: ({ id }): SecretInput => ({ secret: { by: 'id', id } }),
    realm: async (row) => row.realmId,
  }),
  source({
    collection: 'keys',
    index: 'rotation',
    at: rotationDue,
    operation: rotateDueKey,
    input: keyOf,
    realm: async (row) => row.realmId,
  }),
  source({
    collection: 'keys',
    index: 'settling',
    at: (row) => row.settling?.since,
    operation: settleKey,
    input: keyOf,
    realm: async (row) => row.realmId,
  }),
  source({
    collection: 'keyStores',
    index: 'connecting',
    at: (row) => row.connectingSince,
    operation: finishConnecting,
    input: ({ id }): KeyStoreInput => ({ id }),
    realm: async (row) => row.realmId,
  }),
]

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
  #wakeAt = Number.POSITIVE_INFINITY
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

  /** When something falls due next, ms since the epoch; undefined: nothing ever will. */
  async soonest(): Promise<number | undefined> {
    const times = await Promise.all(SOURCES.map((from) => from.first(this.#deps.store)))
    const known = times.filter((at) => at !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  /** What was due this long ago and is not done yet, at most a page of each kind. */
  async overdue(graceMs: number): Promise<Readonly<Record<string, number>>> {
    const { store, clock } = this.#deps
    const until = clock.now() - graceMs
    const counts = await Promise.all(
      SOURCES.map(async (from) => [from.name, await from.overdue(store, until)] as const),
    )
    return Object.fromEntries(counts)
  }

  /** A commit may have made something due sooner than all before. */
  committed(writes: readonly Write[]): void {
    if (this.#running !== undefined) return
    const sooner = SOURCES.some((from) => writes.some((write) => (from.dateOf(write) ?? this.#wakeAt) < this.#wakeAt))
    if (sooner) void this.#wait().catch(this.#deps.failed)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#running
  }

  async #run(): Promise<void> {
    const until = this.#deps.clock.now()
    let failures = 0
    for (const from of SOURCES) failures += await this.#work(from, until)
    await this.#wait(failures > 0 ? until + RETRY_MS : undefined)
  }

  /** @returns how many of a source's rows could not be done */
  async #work(from: Source, until: number): Promise<number> {
    const { store, kernel, failed } = this.#deps
    const due = await from.due(store, until)
    let failures = 0
    const worker = async (): Promise<void> => {
      for (let work = due.pop(); work !== undefined && !this.#stopped; work = due.pop()) {
        await work(kernel).catch((error: unknown) => {
          failures += 1
          failed(error)
        })
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, worker))
    return failures
  }

  async #wait(retryAt?: number): Promise<void> {
    const next = retryAt ?? (await this.soonest())
    this.#cancel?.()
    this.#cancel = undefined
    this.#wakeAt = next ?? Number.POSITIVE_INFINITY
    if (next === undefined || this.#stopped) return
    this.#cancel = this.#deps.clock.schedule(next, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.settle().catch(this.#deps.failed)
    })
  }
}

const systemCall = (realmId: string, wire: string): Call => ({
  signal: new AbortController().signal,
  requestId: randomUUID(),
  dialect: 'system',
  wire,
  principal: { id: 'system:clock', method: 'system' },
  realm: { dialect: 'system', realmId },
})
