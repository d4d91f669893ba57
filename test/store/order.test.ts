/** Pages of both stores, in both orders. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Alias } from '../../src/core/key.ts'
import type { Order, Store } from '../../src/core/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'

const directory = mkdtempSync(join(tmpdir(), 'trefoil-order-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))

const STORES: Readonly<Record<string, () => Store>> = {
  memory: () => new MemoryStore(),
  sqlite: () => openSqliteStore(join(directory, 'trefoil.db')),
}

const alias = (realmId: string, name: string): Alias => ({
  id: `${realmId}-${name}`,
  realmId,
  name,
  keyId: 'k',
  createdAt: 1,
  updatedAt: 1,
})

for (const [kind, make] of Object.entries(STORES)) {
  t.test(kind, async (t) => {
    const store = make()
    t.teardown(() => store.close())
    const names = ['a', 'aa', 'b', 'c', 'é', '\u0000', '\u{1f511}']
    const inOrder = [...names].sort()
    const rows = [...names.map((name) => alias('m', name)), alias('l', 'x'), alias('mm', 'x'), alias('n', 'x')]
    await store.commit(rows.map((row) => ({ kind: 'insert', collection: 'aliases', row })))
    const walk = async (limit: number, order?: Order): Promise<readonly string[]> => {
      const seen: string[] = []
      let after: string | undefined
      do {
        const page = await store.page('aliases', 'name', ['m'], after, limit, order)
        t.ok(page.rows.length <= limit)
        seen.push(...page.rows.map(({ name }) => name))
        after = page.next
      } while (after !== undefined)
      return seen
    }
    for (const limit of [1, 2, 3, 7, 100]) {
      t.same(await walk(limit), inOrder, `${limit} at a time`)
      t.same(await walk(limit, 'descending'), [...inOrder].reverse(), `${limit} at a time, last first`)
    }
    const other = await store.page('aliases', 'name', ['n'], undefined, 1)
    t.equal(other.next, undefined)
    const foreign = (await store.page('aliases', 'name', [], undefined, 1, 'descending')).next ?? ''
    const within = await store.page('aliases', 'name', ['m'], foreign, 100, 'descending')
    t.same(
      within.rows.map(({ name }) => name),
      [...inOrder].reverse(),
      'a cursor from behind the prefix moves only inside of it',
    )
  })
}
