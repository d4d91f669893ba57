/**
 * Keys that were found before, by what they were asked for. A finding is as good as the rows that led to it: they are
 * looked at again each time, so that no commit has to know what it makes stale.
 */
import { Lru } from './lru.ts'
import type { Call, KeyTarget } from './operation.ts'
import type { Store, Stored } from './ports.ts'
import type { KeyReference, RealmAddress, RingReference } from './reference.ts'
import type { CollectionName, IndexName, Rows } from './schema.ts'

type Read = { readonly collection: CollectionName; readonly row: { readonly id: string } }
type Known = { readonly target: KeyTarget; readonly reads: readonly Read[] }

const CAPACITY = 8192

/** Injective where parts follow each other: each is preceded by its length. */
const part = (text: string): string => `${text.length}:${text}`

function addressName(address: RealmAddress): string {
  switch (address.dialect) {
    case 'aws':
      return part(address.account) + part(address.region)
    case 'gcp':
      return part(address.project) + part(address.location)
    case 'azure':
      return part(address.vault)
    case 'system':
      return part(address.realmId)
  }
}

const ringName = (ring: RingReference): string => (ring.by === 'default' ? '-' : part(ring.name))

function referenceName(reference: KeyReference): string {
  switch (reference.by) {
    case 'id':
      return `i${reference.id}`
    case 'multi_region':
      return `m${reference.id}`
    case 'alias':
      return `a${reference.name}`
    case 'version':
      return `v${reference.versionId}`
    case 'name':
      return `n${ringName(reference.ring)}${reference.name}`
  }
}

/** The ring that the address stands for and the key's exposure depend on who asks, hence the dialects. */
const nameOf = (reference: KeyReference, { dialect, realm }: Call): string =>
  `${dialect} ${realm.dialect} ${addressName(realm)} ${referenceName(reference)}`

/** The rows that are read through it. */
export class RecordedReads implements Pick<Store, 'get' | 'find'> {
  readonly #store: Store
  readonly rows: Read[] = []
  /** Something was not there: that would have to be looked for again. */
  missed = false

  constructor(store: Store) {
    this.#store = store
  }

  async get<C extends CollectionName>(collection: C, id: string): Promise<Stored<Rows[C]> | undefined> {
    return this.#note(collection, await this.#store.get(collection, id))
  }

  async find<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    key: readonly string[],
  ): Promise<Stored<Rows[C]> | undefined> {
    return this.#note(collection, await this.#store.find(collection, index, key))
  }

  #note<C extends CollectionName>(collection: C, row: Stored<Rows[C]> | undefined): Stored<Rows[C]> | undefined {
    if (row === undefined) this.missed = true
    else this.rows.push({ collection, row })
    return row
  }
}

export class KnownKeys {
  readonly #store: Store
  readonly #known = new Lru<Known>(CAPACITY)

  constructor(store: Store) {
    this.#store = store
  }

  get(reference: KeyReference, call: Call): KeyTarget | undefined {
    if (reference.realm !== undefined) return undefined
    const known = this.#known.get(nameOf(reference, call))
    if (known === undefined || call.expresses?.(known.target.key) === false) return undefined
    for (const { collection, row } of known.reads) {
      if (this.#store.peek(collection, row.id) !== row) return undefined
    }
    return known.target
  }

  /** Of the caller's own realm only: whether he may look elsewhere is asked each time. */
  set(reference: KeyReference, call: Call, target: KeyTarget, reads: RecordedReads): void {
    if (!reads.missed && reference.realm === undefined)
      this.#known.set(nameOf(reference, call), { target, reads: reads.rows })
  }
}
