import { isShown, type Key } from '../key.ts'
import {
  type Env,
  type Outcome,
  type RealmTarget,
  type RingInput,
  realmOperation,
  ringOperation,
} from '../operation.ts'
import type { Order, Stored } from '../ports.ts'
import { sortable } from '../schema.ts'
import type { KeyView } from '../view.ts'

export type Paging = {
  /** `next` of an earlier page. */
  readonly after?: string | undefined
  readonly limit: number
  /** Of names and numbers; ascending unless said. */
  readonly order?: Order | undefined
  /** Whether the caller asks how long the whole list is. */
  readonly counted?: boolean
}
/** Rows that one page of a filtered list looks at; a page that found less than it may hold goes on with the next. */
export const MAX_SCAN = 2000

export type ListKeysOptions = Paging & {
  /** Rows that the dialect can't express are left out here, so that pages stay full. */
  readonly include?: (key: Key) => boolean
  /** Which of the keys that are shown the caller asks for. */
  readonly matches?: (view: KeyView) => boolean
}
export type KeyList = {
  readonly keys: readonly KeyView[]
  readonly next?: string
  /** Where it was asked for. */
  readonly total?: number
}

type Scan<T> = (after: string | undefined, limit: number) => Promise<{ rows: readonly T[]; next?: string }>

const COUNT_PAGE = 500

/** How many of a list's rows are shown. */
export async function countShown<T>(scan: Scan<T>, shown: (row: T) => boolean): Promise<number> {
  let total = 0
  let after: string | undefined
  do {
    const page = await scan(after, COUNT_PAGE)
    total += page.rows.filter(shown).length
    after = page.next
  } while (after !== undefined)
  return total
}

async function collect(env: Env, target: RealmTarget, options: ListKeysOptions, scan: Scan<Stored<Key>>) {
  const keys: KeyView[] = []
  let after = options.after
  let scanned = 0
  do {
    const page = await scan(after, options.limit - keys.length)
    scanned += page.rows.length
    for (const key of page.rows) {
      const view = options.include?.(key) === false ? undefined : await viewOf(env, target, key)
      if (view !== undefined && options.matches?.(view) !== false) keys.push(view)
    }
    after = page.next
  } while (after !== undefined && keys.length < options.limit && scanned < MAX_SCAN)
  return { keys, ...(after !== undefined && { next: after }) }
}

async function viewOf(env: Env, { realm }: RealmTarget, key: Stored<Key>): Promise<KeyView | undefined> {
  const ring = await env.store.get('rings', key.ringId)
  if (ring === undefined || !isShown(ring, env.call.dialect)) return undefined
  const current =
    key.current === 0 ? undefined : await env.store.find('versions', 'number', [key.id, sortable(key.current)])
  return { realm, ring, key, current }
}

/** All keys of the realm, as AWS lists them: of every ring it may see, in no meaningful order. */
export const listRealmKeys = realmOperation<ListKeysOptions, KeyList>({
  name: 'ListKeys',
  action: 'list-keys',
  async run(env, target, input): Promise<Outcome<KeyList>> {
    const { store } = env
    const prefix = [target.realm.id]
    const page = await collect(env, target, input, (after, limit) => store.page('keys', 'realm', prefix, after, limit))
    return { output: page }
  },
})

/** The keys of one ring, by name. */
export const listRingKeys = ringOperation<RingInput & ListKeysOptions, KeyList>({
  name: 'ListRingKeys',
  action: 'list-keys',
  async run(env, target, input): Promise<Outcome<KeyList>> {
    const { store } = env
    const prefix = [target.ring.id]
    const scan: Scan<Stored<Key>> = (after, limit) => store.page('keys', 'name', prefix, after, limit, input.order)
    const page = await collect(env, target, input, scan)
    if (input.counted !== true) return { output: page }
    const all = await store.count('keys', 'name', prefix)
    const { include = () => true } = input
    // Of a ring too large to be looked through, the nearest truth.
    return { output: { ...page, total: all > MAX_SCAN ? all : await countShown(scan, include) } }
  },
})
