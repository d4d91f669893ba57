import t from 'tap'
import { Lru } from '../../src/core/lru.ts'

const held = (lru: Lru<number>, keys: string): string => [...keys].filter((key) => lru.get(key) !== undefined).join('')

t.test('what was used stays, what was not goes', async (t) => {
  const lru = new Lru<number>(3)
  for (const key of 'abc') lru.set(key, 1)
  lru.get('a')
  lru.set('d', 1)
  t.equal(lru.size, 3)
  t.equal(held(lru, 'abcd'), 'acd')
  lru.set('e', 1)
  t.equal(lru.size, 3)
  t.ok(lru.get('e'), 'the newest is there even where all others were used')
  lru.set('e', 2)
  t.equal(lru.get('e'), 2)
  lru.delete('e')
  t.equal(lru.get('e'), undefined)
  lru.clear()
  t.equal(lru.size, 0)
})

t.test('by cost', async (t) => {
  const lru = new Lru<number>({ maxEntries: 10, maxCost: 100 })
  lru.set('a', 1, 60)
  lru.set('b', 1, 40)
  t.equal(held(lru, 'ab'), 'ab')
  lru.set('c', 1, 90)
  t.equal(held(lru, 'abc'), 'c')
  lru.set('d', 1, 101)
  t.equal(held(lru, 'cd'), 'c', 'what is too large for all is not kept, and evicts nothing')
  lru.set('c', 1, 10)
  lru.set('e', 1, 90)
  t.equal(held(lru, 'ce'), 'ce', 'a cost that was taken back counts no more')
})

t.test('never more than it may, whatever is done', async (t) => {
  const lru = new Lru<number>({ maxEntries: 5, maxCost: 50 })
  for (let n = 0; n < 10_000; n++) {
    const key = String((n * 7919) % 23)
    if (n % 3 === 0) lru.get(key)
    else if (n % 11 === 0) lru.delete(key)
    else lru.set(key, n, n % 20)
    if (lru.size > 5) t.fail(`${lru.size} entries`)
  }
  t.ok(lru.size > 0)
})
