/** Random commits and questions to both stores at once: the same answers, cursors and refusals included. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import type { Alias } from '../../src/core/key.ts'
import type { Store, Write } from '../../src/core/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { codeOf } from '../conformance/store.ts'
import { Random, REPEAT } from '../support/random.ts'

const long = process.env.TEST_LONG !== undefined
const STEPS = long ? 60_000 : 3_000
const REOPEN_EVERY = 250
const IDS = Array.from({ length: 24 }, (_, n) => `id-${n}`)
const NAMES = ['a', 'A', 'b', 'a\u0000', 'a\u0001', '', 'é', '\ud800', '😀', 'long'.repeat(300)]
const REALMS = ['r', 'r2', 'r\u0000']
const KEYS = ['k', 'k1', '']

async function randomWrite(random: Random, memory: Store): Promise<Write> {
  const id = random.pick(IDS)
  const found = await memory.get('aliases', id)
  const row: Alias = {
    id,
    realmId: random.pick(REALMS),
    name: random.pick(NAMES),
    keyId: random.pick(KEYS),
    createdAt: random.next(),
    updatedAt: random.chance(0.01) ? Number.NaN : 1,
  }
  const revision = random.chance(0.9) ? (found?.revision ?? 1) : random.between(0, 5)
  if (random.chance(found === undefined ? 0.85 : 0.05)) return { kind: 'insert', collection: 'aliases', row }
  if (random.chance(0.6)) return { kind: 'update', collection: 'aliases', row, revision }
  return { kind: 'delete', collection: 'aliases', id, revision }
}

type Ask = (store: Store) => Promise<unknown>

async function randomAsk(random: Random, memory: Store, cursors: string[]): Promise<Ask> {
  if (random.chance(0.55)) {
    const writes: Write[] = []
    for (let n = random.between(1, 4); n > 0; n--) writes.push(await randomWrite(random, memory))
    return (store) => codeOf(store.commit(writes))
  }
  const [realm, name, key, id] = [random.pick(REALMS), random.pick(NAMES), random.pick(KEYS), random.pick(IDS)]
  const limit = random.between(1, 6)
  const after = random.chance(0.5) ? undefined : cursors[random.between(0, 30)]
  const prefix = random.pick([[], [realm], [realm, name]])
  const keyPrefix = random.pick([[], [key]])
  return random.pick<Ask>([
    (store) => store.get('aliases', id),
    (store) => store.find('aliases', 'name', [realm, name]),
    (store) => store.page('aliases', 'name', prefix, after, limit),
    (store) => store.page('aliases', 'key', keyPrefix, after, limit),
    (store) => store.count('aliases', 'name', prefix),
    (store) => store.count('aliases', 'key', [key]),
  ])
}

t.test(`${STEPS} steps, ${REPEAT}`, { timeout: 1_200_000 }, async (t) => {
  t.comment(REPEAT)
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-differential-'))
  const path = join(directory, 'trefoil.db')
  const random = new Random()
  const memory = new MemoryStore()
  let sqlite = openSqliteStore(path, { cachedRows: 8 })
  t.teardown(async () => {
    await sqlite.close()
    rmSync(directory, { recursive: true })
  })
  const cursors: string[] = []
  const codes = new Map<unknown, number>()
  for (let step = 0; step < STEPS; step++) {
    const ask = await randomAsk(random, memory, cursors)
    const [expected, answer] = [await ask(memory), await ask(sqlite)]
    if (!isDeepStrictEqual(answer, expected)) {
      t.same(answer, expected, `${REPEAT}, step ${step}`)
      return
    }
    if (typeof expected === 'string') codes.set(expected, (codes.get(expected) ?? 0) + 1)
    const next = (expected as { next?: string } | undefined)?.next
    if (next !== undefined) cursors[random.between(0, 30)] = next
    if (step % REOPEN_EVERY === REOPEN_EVERY - 1) {
      await sqlite.close()
      sqlite = openSqliteStore(path, { cachedRows: random.pick([1, 8, 10_000]) })
    }
  }
  for (const code of ['ok', 'conflict', 'internal'])
    t.ok((codes.get(code) ?? 0) > STEPS / 500, `${code}: ${codes.get(code)}`)
})
