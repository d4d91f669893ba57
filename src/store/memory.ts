/** A store that forgets: for tests, and the yardstick the durable ones are compared with. */
import { KmsError } from '../core/error.ts'
import type { Order, Page, Store, Stored, Write } from '../core/ports.ts'
import { COLLECTION_NAMES, type CollectionName, type IndexName, indexesOf, type Rows } from '../core/schema.ts'
import { type AnyStored, asStored } from './codec.ts'
import { checkLimit, encodeCursor, encodeTuple, entriesOf, isUniqueIndex, pageRange, type Range } from './entries.ts'
import { planCommit, type Step } from './plan.ts'

/** Keys in order, with the id of the row at each. */
class SortedIndex {
  readonly #keys: string[] = []
  readonly #ids = new Map<string, string>()

  idOf(key: string): string | undefined {
    return this.#ids.get(key)
  }

  /** Position of the first key that is not before `key`. */
  #lowerBound(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }

  insert(key: string, id: string): void {
    this.#keys.splice(this.#lowerBound(key), 0, key)
    this.#ids.set(key, id)
  }

  remove(key: string): void {
    this.#keys.splice(this.#lowerBound(key), 1)
    this.#ids.delete(key)
  }

  count(from: string, to: string): number {
    return Math.max(0, this.#lowerBound(to) - this.#lowerBound(from))
  }

  range({ from, to, order }: Range, limit: number): readonly string[] {
    const start = this.#lowerBound(from)
    const end = Math.max(start, this.#lowerBound(to))
    if (order === 'ascending') return this.#keys.slice(start, Math.min(end, start + limit))
    return this.#keys.slice(Math.max(start, end - limit), end).reverse()
  }
}

type Table = { readonly rows: Map<string, AnyStored>; readonly indexes: Map<string, SortedIndex> }

function emptyTables(): Map<CollectionName, Table> {
  const table = (name: CollectionName): Table => ({
    rows: new Map(),
    indexes: new Map(Object.keys(indexesOf(name)).map((index) => [index, new SortedIndex()])),
  })
  return new Map(COLLECTION_NAMES.map((name) => [name, table(name)]))
}

const conflict = (): KmsError => new KmsError('conflict')

export class MemoryStore implements Store {
  readonly #tables = emptyTables()
  #closed = false

  #table(collection: CollectionName): Table {
    if (this.#closed) throw new KmsError('store_unavailable', {}, { cause: new Error('the store is closed') })
    return this.#tables.get(collection) as Table
  }

  #index(collection: CollectionName, index: string): SortedIndex {
    const found = this.#table(collection).indexes.get(index)
    if (found === undefined)
      throw new KmsError('internal', {}, { cause: new Error(`${collection} has no index ${index}`) })
    return found
  }

  peek<C extends CollectionName>(collection: C, id: string): Stored<Rows[C]> | undefined {
    return this.#closed ? undefined : asStored(collection, this.#table(collection).rows.get(id))
  }

  async get<C extends CollectionName>(collection: C, id: string): Promise<Stored<Rows[C]> | undefined> {
    return asStored(collection, this.#table(collection).rows.get(id))
  }

  async find<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    key: readonly string[],
  ): Promise<Stored<Rows[C]> | undefined> {
    const found = this.#index(collection, index)
    if (!isUniqueIndex(collection, index))
      throw new KmsError('internal', {}, { cause: new Error(`${index} is not unique`) })
    const id = found.idOf(encodeTuple(key))
    return id === undefined ? undefined : this.get(collection, id)
  }

  async page<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    prefix: readonly string[],
    after: string | undefined,
    limit: number,
    order?: Order,
  ): Promise<Page<Rows[C]>> {
    checkLimit(limit)
    const sorted = this.#index(collection, index)
    const keys = sorted.range(pageRange(prefix, after, order), limit + 1)
    const shown = keys.slice(0, limit)
    const table = this.#table(collection)
    const rows = shown.map((key) => asStored(collection, table.rows.get(sorted.idOf(key) as string)) as Stored<Rows[C]>)
    return keys.length > limit ? { rows, next: encodeCursor(shown.at(-1) as string) } : { rows }
  }

  async count<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    prefix: readonly string[],
  ): Promise<number> {
    const { from, to } = pageRange(prefix, undefined)
    return this.#index(collection, index).count(from, to)
  }

  async commit(writes: readonly Write[]): Promise<void> {
    const steps = planCommit(writes)
    this.#check(steps)
    for (const step of steps) this.#removeEntries(step)
    for (const { collection, id, next } of steps) {
      const { rows, indexes } = this.#table(collection)
      if (next === undefined) {
        rows.delete(id)
        continue
      }
      rows.set(id, next.row)
      for (const entry of next.entries) indexes.get(entry.index)?.insert(entry.key, id)
    }
  }

  /** Everything that could fail, so that what follows can't. */
  #check(steps: readonly Step[]): void {
    const written = new Set(steps.map((step) => `${step.collection}/${step.id}`))
    const claimed = new Set<string>()
    for (const { collection, id, expected, next } of steps) {
      if (this.#table(collection).rows.get(id)?.revision !== expected) throw conflict()
      for (const { index, key } of next?.entries ?? []) {
        const owner = this.#index(collection, index).idOf(key)
        if (owner !== undefined && !written.has(`${collection}/${owner}`)) throw conflict()
        const claim = `${collection}/${index}/${key}`
        if (claimed.has(claim)) throw conflict()
        claimed.add(claim)
      }
    }
  }

  #removeEntries({ collection, id }: Step): void {
    const { rows, indexes } = this.#table(collection)
    const old = rows.get(id)
    if (old === undefined) return
    for (const entry of entriesOf(collection, old)) indexes.get(entry.index)?.remove(entry.key)
  }

  async health(): Promise<void> {
    this.#table('meta')
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}
