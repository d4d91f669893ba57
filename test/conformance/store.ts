/** What every store must do. A store differs from another by what outlives it only. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { ErrorCode } from '../../src/core/error.ts'
import { KmsError } from '../../src/core/error.ts'
import type { Alias, Tombstone } from '../../src/core/key.ts'
import type { Store, Write } from '../../src/core/ports.ts'

/** Closed and removed by whoever makes it. */
export type MakeStore = (t: Test) => Promise<Store>

export const aliasOf = (name: string, more: Partial<Alias> = {}): Alias => ({
  id: randomUUID(),
  realmId: 'r',
  name,
  keyId: 'k',
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
const meta = (id: string, value: string | Uint8Array): Write => ({
  kind: 'insert',
  collection: 'meta',
  row: { id, value },
})

/** The code that work is refused with, `ok` where it isn't. */
export async function codeOf(work: Promise<unknown>): Promise<ErrorCode | 'ok' | string> {
  try {
    await work
    return 'ok'
  } catch (error) {
    return error instanceof KmsError ? error.code : `not a KmsError: ${String(error)}`
  }
}

async function allNames(store: Store, prefix: readonly string[], limit: number): Promise<string[]> {
  const names: string[] = []
  let after: string | undefined
  do {
    const page = await store.page('aliases', 'name', prefix, after, limit)
    names.push(...page.rows.map((row) => row.name))
    after = page.next
  } while (after !== undefined)
  return names
}

function rowSuite(t: Test, make: MakeStore): void {
  t.test('a row comes, changes, goes and comes again', async (t) => {
    const store = await make(t)
    const row = aliasOf('a')
    t.equal(await store.get('aliases', row.id), undefined)
    await store.commit([insert(row)])
    t.same(await store.get('aliases', row.id), { ...row, revision: 1 })
    await store.commit([update({ ...row, keyId: 'other' }, 1)])
    t.same(await store.get('aliases', row.id), { ...row, keyId: 'other', revision: 2 })
    await store.commit([remove(row.id, 2)])
    t.equal(await store.get('aliases', row.id), undefined)
    t.equal(await store.count('aliases', 'name', []), 0)
    await store.commit([insert(row)])
    t.equal((await store.get('aliases', row.id))?.revision, 1)
    await store.commit([])
    await store.health()
  })

  t.test('a revision that moved is a conflict, and nothing of the batch happens', async (t) => {
    const store = await make(t)
    const [row, other] = [aliasOf('a'), aliasOf('b')]
    await store.commit([insert(row)])
    await store.commit([update({ ...row, keyId: '2' }, 1)])
    const losers: readonly Write[] = [
      insert(row),
      update(row, 1),
      update(row, 3),
      remove(row.id, 1),
      update(other, 1),
      remove(randomUUID(), 1),
      insert(aliasOf('a')),
    ]
    for (const loser of losers) {
      for (const batch of [
        [insert(other), loser],
        [loser, insert(other)],
      ]) {
        if (loser.kind === 'update' && loser.row.id === other.id) batch[batch.indexOf(loser)] = update(aliasOf('c'), 1)
        t.equal(await codeOf(store.commit(batch)), 'conflict')
        t.equal(await store.get('aliases', other.id), undefined)
        t.equal(await store.find('aliases', 'name', ['r', 'b']), undefined)
        t.equal(await store.count('aliases', 'key', []), 1)
      }
    }
    t.match(await store.get('aliases', row.id), { revision: 2, keyId: '2' })
  })

  t.test('what no store could keep is the caller’s mistake', async (t) => {
    const store = await make(t)
    const row = aliasOf('a')
    const bad: readonly (readonly Write[])[] = [
      [insert(row), update(row, 1)],
      [insert({ ...row, id: '' })],
      [insert({ ...row, id: '\ud800' })],
      [insert({ ...row, createdAt: Number.NaN })],
      [insert({ ...row, updatedAt: new Date() as unknown as number })],
    ]
    for (const writes of bad) t.equal(await codeOf(store.commit([insert(aliasOf('x')), ...writes])), 'internal')
    t.equal(await store.count('aliases', 'name', []), 0)
  })

  t.test('rows are frozen, and apart from what they were made of', async (t) => {
    const store = await make(t)
    const bytes = randomBytes(20)
    const copy = Uint8Array.from(bytes)
    await store.commit([meta('m', bytes)])
    bytes.fill(0)
    t.same((await store.get('meta', 'm'))?.value, copy)
    const tags = { aws: { a: '1' }, azure: {}, gcp: {} }
    const row = { ...aliasOf('a'), tags } as Alias
    await store.commit([insert(row)])
    tags.aws.a = '2'
    const found = (await store.get('aliases', row.id)) as unknown as { tags: typeof tags }
    t.equal(found.tags.aws.a, '1')
    t.ok(Object.isFrozen(found) && Object.isFrozen(found.tags) && Object.isFrozen(found.tags.aws))
    t.throws(() => {
      found.tags.aws.a = '3'
    }, TypeError)
  })

  t.test('large values and strange names', async (t) => {
    const store = await make(t)
    const large = randomBytes(3 * 1024 * 1024)
    await store.commit([meta('large', large)])
    const found = (await store.get('meta', 'large'))?.value as Uint8Array
    t.equal(Buffer.compare(found, large), 0)
    const names = [
      '',
      '\u0000',
      '\u0001',
      'a\u0000',
      'a\u0000b',
      'a\u0001',
      'é',
      '😀',
      '\uffff',
      '\ud800',
      'x'.repeat(10_000),
    ]
    for (const name of names) await store.commit([insert(aliasOf(name))])
    for (const name of names) t.equal((await store.find('aliases', 'name', ['r', name]))?.name, name)
    t.same(await allNames(store, ['r'], 3), [...names].sort(), 'in the order of UTF-16')
    t.equal(await store.find('aliases', 'name', ['r', 'nothing']), undefined)
    t.equal(await store.get('aliases', '\ud800'), undefined)
  })
}

function indexSuite(t: Test, make: MakeStore): void {
  t.test('unique indexes', async (t) => {
    const store = await make(t)
    const [a, b] = [aliasOf('a'), aliasOf('b')]
    await store.commit([insert(a), insert(b)])
    t.equal((await store.find('aliases', 'name', ['r', 'a']))?.id, a.id)
    t.equal(await codeOf(store.commit([update({ ...a, name: 'b' }, 1)])), 'conflict')
    t.equal(await codeOf(store.commit([insert(aliasOf('c')), insert(aliasOf('c'))])), 'conflict')
    await store.commit([update({ ...a, name: 'b' }, 1), update({ ...b, name: 'a' }, 1)])
    t.equal((await store.find('aliases', 'name', ['r', 'a']))?.id, b.id, 'two rows exchange their names')
    const next = aliasOf('a')
    await store.commit([insert(next), remove(b.id, 2)])
    t.equal((await store.find('aliases', 'name', ['r', 'a']))?.id, next.id, 'a name goes over in one commit')
    await store.commit([insert(aliasOf('a', { realmId: 'r2' }))])
    t.equal(await codeOf(store.find('aliases', 'key' as 'name', ['k'])), 'internal')
    const tombstone = (name: string): Write => {
      const row: Tombstone = { id: randomUUID(), ringId: 'g', name, versionCounter: 1, retired: false, purgedAt: 1 }
      return { kind: 'insert', collection: 'tombstones', row }
    }
    await store.commit([tombstone('Key')])
    t.equal(await codeOf(store.commit([tombstone('KEY')])), 'conflict', 'names of keys fold')
  })

  t.test('pages: tuple order, then id; a prefix counts whole components', async (t) => {
    const store = await make(t)
    const rows = Array.from({ length: 25 }, (_, n) => aliasOf(`n${String(n).padStart(2, '0')}`, { keyId: `k${n % 3}` }))
    await store.commit([...rows, aliasOf('z', { realmId: 'r2' }), aliasOf('z', { realmId: 'rr' })].map(insert))
    for (const limit of [1, 5, 7, 25, 100]) {
      t.same(
        await allNames(store, ['r'], limit),
        rows.map((row) => row.name),
        `pages of ${limit}`,
      )
    }
    t.same(await allNames(store, ['r2'], 5), ['z'])
    t.same(await allNames(store, ['nobody'], 5), [])
    t.equal(await store.count('aliases', 'name', ['r']), 25)
    t.equal(await store.count('aliases', 'name', []), 27)
    t.equal(await store.count('aliases', 'key', ['k1']), 8)
    t.equal((await store.page('aliases', 'name', ['r'], undefined, 25)).next, undefined, 'a full last page is the last')
    const { next } = await store.page('aliases', 'name', [], undefined, 27 - 1)
    t.same((await store.page('aliases', 'name', ['r'], next, 5)).rows, [], 'a cursor leads out of no prefix')
    t.equal(
      (await store.page('aliases', 'name', ['rr'], (await store.page('aliases', 'name', ['r'], undefined, 3)).next, 5))
        .rows.length,
      1,
    )
    for (const after of ['', '!', 'AA', 'AAA=']) {
      t.equal(await codeOf(store.page('aliases', 'name', [], after, 5)), 'invalid_argument', `cursor ${after}`)
    }
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      t.equal(await codeOf(store.page('aliases', 'name', [], undefined, limit)), 'invalid_argument')
    }
  })

  t.test('pages are stable under writes', async (t) => {
    const store = await make(t)
    const rows = Array.from({ length: 40 }, (_, n) => aliasOf(`n${String(n).padStart(3, '0')}`))
    await store.commit(rows.map(insert))
    const seen: string[] = []
    const gone = new Set<string>()
    let after: string | undefined
    for (let round = 0; ; round++) {
      const page = await store.page('aliases', 'name', ['r'], after, 4)
      seen.push(...page.rows.map((row) => row.name))
      after = page.next
      if (after === undefined) break
      // The row that the cursor stands at goes, one behind and one before it come, one ahead changes.
      const last = page.rows.at(-1)
      const ahead = rows.find((row) => row.name > (last?.name ?? '') && !gone.has(row.id))
      if (last !== undefined) await store.commit([remove(last.id, last.revision)])
      await store.commit([insert(aliasOf(`n000-${round}`)), insert(aliasOf(`n999-${round}`))])
      if (ahead !== undefined) {
        const { revision = 0 } = (await store.get('aliases', ahead.id)) ?? {}
        await store.commit([update({ ...ahead, keyId: `k${round}` }, revision)])
      }
    }
    t.same(
      seen.filter((name) => /^n\d{3}$/.test(name)),
      rows.map((row) => row.name),
      'each untouched row once',
    )
    t.equal(new Set(seen).size, seen.length)
  })
}

function concurrencySuite(t: Test, make: MakeStore): void {
  t.test('rivals: every change counts once', async (t) => {
    const store = await make(t)
    const row = aliasOf('counter', { updatedAt: 0 })
    await store.commit([insert(row)])
    const increment = async (): Promise<void> => {
      for (;;) {
        const found = await store.get('aliases', row.id)
        const [{ updatedAt }, revision] = [found ?? row, found?.revision ?? 0]
        if ((await codeOf(store.commit([update({ ...row, updatedAt: updatedAt + 1 }, revision)]))) === 'ok') return
      }
    }
    await Promise.all(Array.from({ length: 50 }, increment))
    t.match(await store.get('aliases', row.id), { updatedAt: 50, revision: 51 })
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(store.commit([insert(aliasOf('one'))]))))
    t.equal(codes.filter((code) => code === 'ok').length, 1)
    t.equal(codes.filter((code) => code === 'conflict').length, 19)
  })

  t.test('closed, it is unavailable, and closing again is nothing', async (t) => {
    const store = await make(t)
    await store.commit([insert(aliasOf('a'))])
    await store.close()
    await store.close()
    for (const work of [
      () => store.get('aliases', 'a'),
      () => store.find('aliases', 'name', ['r', 'a']),
      () => store.page('aliases', 'name', [], undefined, 1),
      () => store.count('aliases', 'name', []),
      () => store.commit([insert(aliasOf('b'))]),
      () => store.health(),
    ]) {
      t.equal(await codeOf(work()), 'store_unavailable')
    }
  })
}

export function storeSuite(t: Test, make: MakeStore): void {
  rowSuite(t, make)
  indexSuite(t, make)
  concurrencySuite(t, make)
}
