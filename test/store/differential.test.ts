/**
 * Random commits, reads and pages against both stores at once: they must answer alike, whatever is asked. A failure is
 * replayed by its seed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Alias } from '../../src/core/key.ts'
import type { Store, Write } from '../../src/core/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { alias, storeRefusal } from '../conformance/store.ts'

const STEPS = process.env.TEST_LONG === undefined ? 2_000 : 50_000
const seed = Number(process.env.TREFOIL_TEST_SEED ?? Date.now() % 1_000_000)

/** xorshift32: small, and the same everywhere. */
function randomOf(start: number): (below: number) => number {
  let state = start * 2_654_435_761 + 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const NAMES = ['a', 'b', 'ab', 'a\u0000', '\u0001', '', 'ä', '😀', 'A', 'zz']
const REALMS = ['r', 'r1', 'r\u0000']
const IDS = Array.from({ length: 24 }, (_, n) => `id-${n}`)

t.test(`both stores answer alike (TREFOIL_TEST_SEED=${seed})`, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-differential-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const random = randomOf(seed)
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T
  const path = join(directory, 'trefoil.db')
  let durable = openSqliteStore(path, { cachedRows: 5 })
  t.teardown(() => durable.close())
  const memory = new MemoryStore()

  const row = (): Alias => alias(pick(NAMES), { id: pick(IDS), realmId: pick(REALMS), keyId: pick(['k', 'k2']) })
  const write = (): Write => {
    const kind = random(4)
    if (kind <= 1) return { kind: 'insert', collection: 'aliases', row: row() }
    if (kind === 2) return { kind: 'update', collection: 'aliases', row: row(), revision: 1 + random(3) }
    return { kind: 'delete', collection: 'aliases', id: pick(IDS), revision: 1 + random(3) }
  }
  const both = async (ask: (store: Store) => Promise<unknown>): Promise<readonly [string, string]> => {
    const answer = async (store: Store): Promise<string> => {
      let found: unknown
      const code = await storeRefusal(
        ask(store).then((value) => {
          found = value
        }),
      )
      return JSON.stringify({ code, found })
    }
    return [await answer(memory), await answer(durable)]
  }
  const steps: readonly (() => (store: Store) => Promise<unknown>)[] = [
    () => {
      const writes = Array.from({ length: 1 + random(4) }, write)
      return (store) => store.commit(writes)
    },
    () => {
      const id = pick(IDS)
      return (store) => store.get('aliases', id)
    },
    () => {
      const key = [pick(REALMS), pick(NAMES)]
      return (store) => store.find('aliases', 'name', key)
    },
    () => {
      const prefix = [[], [pick(REALMS)], ['k'], [pick(REALMS), pick(NAMES)]][random(4)] as readonly string[]
      const index = pick(['name', 'key'] as const)
      const limit = 1 + random(5)
      return async (store) => {
        const seen = []
        let after: string | undefined
        do {
          const page = await store.page('aliases', index, prefix, after, limit)
          seen.push(page.rows, page.next)
          after = page.next
        } while (after !== undefined)
        return [seen, await store.count('aliases', index, prefix)]
      }
    },
  ]
  for (let step = 0; step < STEPS; step++) {
    const [expected, actual] = await both(
      (random(3) === 0 ? steps[0] : pick(steps))?.() as (s: Store) => Promise<unknown>,
    )
    if (expected !== actual) {
      t.equal(actual, expected, `step ${step}`)
      return
    }
    if (random(500) === 0) {
      await durable.close()
      durable = openSqliteStore(path, { cachedRows: 5 })
    }
  }
  t.pass(`${STEPS} steps`)
})
