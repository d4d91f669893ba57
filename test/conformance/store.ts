/** What every store must do. Stores differ in what survives, which is their own tests' subject, and in nothing else. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { KmsError } from '../../src/core/error.ts'
import type { Alias } from '../../src/core/key.ts'
import type { Store, Stored, Write } from '../../src/core/ports.ts'

export type MakeStore = (t: Test) => Promise<Store>

const REALM = 'realm-1'
export const alias = (name: string, more: Partial<Alias> = {}): Alias => ({
  id: randomUUID(),
  realmId: REALM,
  name,
  keyId: 'key-1',
  createdAt: 1,
  updatedAt: 1,
  ...more,
})
export const insert = (row: Alias): Write => ({ kind: 'insert', collection: 'aliases', row })
export const update = (row: Alias, revision: number): Write => ({
  kind: 'update',
  collection: 'aliases',
  row,
  revision,
})
export const remove = (id: string, revision: number): Write => ({ kind: 'delete', collection: 'aliases', id, revision })

/** The code a call is refused with; `none` when it is not. */
export async function storeRefusal(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'none'
  } catch (error) {
    return error instanceof KmsError ? error.code : `not a KmsError: ${String(error)}`
  }
}

const named = (store: Store, name: string): Promise<Stored<Alias> | undefined> =>
  store.find('aliases', 'name', [REALM, name])

async function allNames(store: Store, limit: number, between?: (seen: number) => Promise<void>): Promise<string[]> {
  const names: string[] = []
  let after: string | undefined
  do {
    const page = await store.page('aliases', 'name', [REALM], after, limit)
    names.push(...page.rows.map((row) => row.name))
    after = page.next
    await between?.(names.length)
  } while (after !== undefined)
  return names
}

function rows(t: Test, make: MakeStore): void {
  t.test('rows come back as they were written, frozen, with their revision', async (t) => {
    const store = await make(t)
    const row = alias('a')
    t.equal(await store.get('aliases', row.id), undefined)
    await store.commit([insert(row)])
    t.same(await store.get('aliases', row.id), { ...row, revision: 1 })
    await store.commit([update({ ...row, updatedAt: 2 }, 1)])
    const found = await named(store, 'a')
    t.same(found, { ...row, updatedAt: 2, revision: 2 })
    t.throws(() => Object.assign(found as object, { name: 'b' }), TypeError)
    await store.commit([remove(row.id, 2)])
    t.equal(await store.get('aliases', row.id), undefined)
    t.equal(await named(store, 'a'), undefined)
    await store.commit([insert(row)])
    t.equal((await store.get('aliases', row.id))?.revision, 1, 'a row that comes again begins again')
  })

  t.test('what a caller does to its row afterwards changes nothing', async (t) => {
    const store = await make(t)
    const value = Buffer.from('sealed')
    await store.commit([{ kind: 'insert', collection: 'meta', row: { id: 'm', value } }])
    value.fill(0)
    t.same(Buffer.from((await store.get('meta', 'm'))?.value as Uint8Array).toString(), 'sealed')
  })

  t.test('large rows and awkward text', async (t) => {
    const store = await make(t)
    const texts = ['', ' ', '\u0000', '\u0001', 'é😀', '\\u0061', 'x'.repeat(300_000), '%_', "'; DROP TABLE x; --"]
    for (const text of texts) {
      const row = alias(text)
      await store.commit([insert(row)])
      t.equal((await named(store, text))?.id, row.id, JSON.stringify(text.slice(0, 20)))
    }
    const bytes = Buffer.alloc(1_000_000, 7)
    await store.commit([{ kind: 'insert', collection: 'meta', row: { id: 'big', value: bytes } }])
    t.equal(Buffer.compare((await store.get('meta', 'big'))?.value as Uint8Array, bytes), 0)
  })
}

function commits(t: Test, make: MakeStore): void {
  t.test('compare-and-set: whoever read an older revision loses', async (t) => {
    const store = await make(t)
    const row = alias('a')
    await store.commit([insert(row)])
    await store.commit([update({ ...row, updatedAt: 2 }, 1)])
    t.equal(await storeRefusal(store.commit([update({ ...row, updatedAt: 3 }, 1)])), 'conflict')
    t.equal(await storeRefusal(store.commit([update({ ...row, updatedAt: 3 }, 3)])), 'conflict')
    t.equal(await storeRefusal(store.commit([remove(row.id, 1)])), 'conflict')
    t.equal(await storeRefusal(store.commit([insert(row)])), 'conflict')
    t.equal(await storeRefusal(store.commit([update(alias('absent'), 1)])), 'conflict')
    t.equal(await storeRefusal(store.commit([remove('absent', 1)])), 'conflict')
    t.same(await named(store, 'a'), { ...row, updatedAt: 2, revision: 2 })
  })

  t.test('all or nothing', async (t) => {
    const store = await make(t)
    const taken = alias('taken')
    await store.commit([insert(taken)])
    const writes = [insert(alias('x')), remove(taken.id, 1), insert(alias('y')), update(alias('absent'), 1)]
    t.equal(await storeRefusal(store.commit(writes)), 'conflict')
    t.same(await allNames(store, 10), ['taken'])
    t.equal(await named(store, 'x'), undefined)
    t.equal((await store.get('aliases', taken.id))?.revision, 1)
    await store.commit([])
  })

  t.test('unique indexes', async (t) => {
    const store = await make(t)
    const [one, two] = [alias('one'), alias('two')]
    await store.commit([insert(one), insert(two)])
    t.equal(await storeRefusal(store.commit([insert(alias('one'))])), 'conflict')
    t.equal(await storeRefusal(store.commit([update({ ...two, name: 'one' }, 1)])), 'conflict')
    t.equal(await storeRefusal(store.commit([insert(alias('new')), insert(alias('new'))])), 'conflict')
    await store.commit([insert(alias('one', { realmId: 'realm-2' }))])
    await store.commit([update({ ...one, name: 'two' }, 1), update({ ...two, name: 'one' }, 1)])
    t.equal((await named(store, 'two'))?.id, one.id, 'the outcome counts, not the order of the writes')
    await store.commit([remove(one.id, 2), insert(alias('two'))])
    t.not((await named(store, 'two'))?.id, one.id)
  })

  t.test('rivals: exactly one of those that read the same revision wins each round', async (t) => {
    const store = await make(t)
    const row = alias('counter', { updatedAt: 0 })
    await store.commit([insert(row)])
    let wins = 0
    const rival = async (): Promise<void> => {
      for (let done = 0; done < 20; ) {
        const { revision, ...read } = (await store.get('aliases', row.id)) as Stored<Alias>
        await new Promise((resolve) => setImmediate(resolve))
        const write = update({ ...read, updatedAt: read.updatedAt + 1 }, revision)
        if ((await storeRefusal(store.commit([write]))) === 'none') {
          done += 1
          wins += 1
        }
      }
    }
    await Promise.all([rival(), rival(), rival(), rival()])
    t.equal(wins, 80)
    t.match(await store.get('aliases', row.id), { updatedAt: 80, revision: 81 })
  })

  t.test('callers’ mistakes are internal errors and change nothing', async (t) => {
    const store = await make(t)
    const row = alias('a')
    t.equal(await storeRefusal(store.commit([insert(row), update(row, 1)])), 'internal', 'one row twice')
    t.equal(await storeRefusal(store.commit([insert({ ...row, id: '' })])), 'internal')
    t.equal(await storeRefusal(store.commit([insert({ ...row, createdAt: Number.NaN })])), 'internal')
    t.equal(await storeRefusal(store.find('aliases', 'key', ['key-1'])), 'internal', 'not a unique index')
    t.same(await allNames(store, 10), [])
  })
}

function pages(t: Test, make: MakeStore): void {
  t.test('pages in the order of the index, whole whatever their size', async (t) => {
    const store = await make(t)
    const names = ['b', 'a', 'B', 'aa', 'a\u0000', '', 'ä', '😀', '\uffff', 'a b', '1', '10', '2']
    await store.commit(names.map((name) => insert(alias(name))))
    await store.commit([insert(alias('zz', { realmId: 'realm-10' })), insert(alias('zz', { realmId: 'realm' }))])
    const sorted = [...names].sort()
    for (const limit of [1, 2, 3, 12, 13, 14, 1000]) t.same(await allNames(store, limit), sorted, `by ${limit}`)
    t.equal(await store.count('aliases', 'name', [REALM]), names.length)
    t.equal(await store.count('aliases', 'name', []), names.length + 2)
    t.equal(await store.count('aliases', 'name', [REALM, 'a']), 1)
  })

  t.test('stable under writes: what neither moves nor goes is seen once', async (t) => {
    const store = await make(t)
    const kept = Array.from({ length: 30 }, (_, n) => alias(`k${String(n).padStart(2, '0')}`))
    const gone = Array.from({ length: 30 }, (_, n) => alias(`k${String(n).padStart(2, '0')}-gone`))
    await store.commit([...kept, ...gone].map(insert))
    let removed = 0
    const seen = await allNames(store, 4, async (count) => {
      await store.commit([insert(alias(`k00-new-${count}`)), insert(alias(`k99-new-${count}`))])
      const victim = gone[29 - removed++]
      if (victim !== undefined) await store.commit([remove(victim.id, 1)])
    })
    t.equal(new Set(seen).size, seen.length, 'nothing twice')
    t.same(
      seen.filter((name) => /^k\d\d$/.test(name)),
      kept.map((row) => row.name),
    )
  })

  t.test('an index that is not unique, and rows that leave it', async (t) => {
    const store = await make(t)
    const row = alias('n1', { keyId: 'k' })
    await store.commit([insert(row), insert(alias('n0', { keyId: 'k' })), insert(alias('n2', { keyId: 'other' }))])
    const page = await store.page('aliases', 'key', ['k'], undefined, 10)
    t.same(
      page.rows.map(({ name }) => name),
      ['n0', 'n1'],
    )
    await store.commit([update({ ...row, keyId: 'other' }, 1)])
    t.equal(await store.count('aliases', 'key', ['k']), 1)
    t.equal(await store.count('aliases', 'key', ['other']), 2)
  })

  t.test('limits and cursors that nobody handed out', async (t) => {
    const store = await make(t)
    await store.commit([insert(alias('a')), insert(alias('b'))])
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      t.equal(await storeRefusal(store.page('aliases', 'name', [REALM], undefined, limit)), 'invalid_argument')
    }
    for (const after of ['', '!', 'a', 'AAA=']) {
      t.equal(await storeRefusal(store.page('aliases', 'name', [REALM], after, 1)), 'invalid_argument', after)
    }
    const other = await store.page('aliases', 'name', [], undefined, 1)
    const page = await store.page('aliases', 'name', ['realm-0'], other.next, 10)
    t.same(page.rows, [], 'a cursor of another list stays inside the prefix')
  })
}

export function storeSuite(t: Test, make: MakeStore): void {
  rows(t, make)
  commits(t, make)
  pages(t, make)

  t.test('a closed store says so', async (t) => {
    const store = await make(t)
    await store.health()
    await store.close()
    await store.close()
    t.equal(await storeRefusal(store.get('aliases', 'a')), 'store_unavailable')
    t.equal(await storeRefusal(store.commit([insert(alias('a'))])), 'store_unavailable')
    t.equal(await storeRefusal(store.page('aliases', 'name', [REALM], undefined, 1)), 'store_unavailable')
  })
}
