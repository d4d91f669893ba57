import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { MIGRATIONS, migrate } from '../../src/store/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'

const temporary = (t: Tap): string => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-migrations-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'trefoil.db')
}
type Tap = { teardown(handler: () => void): void }

/** A database as an earlier version left it: the steps up to its own, and one row. */
function makeOld(path: string, steps: number): void {
  const database = new Database(path)
  database.pragma('application_id = 0x54726566')
  for (const step of MIGRATIONS.slice(0, steps)) step(database)
  database.pragma(`user_version = ${steps}`)
  database.exec(`INSERT INTO rows_meta (id, revision, body) VALUES ('m', 1, '{"id":"m","value":"kept"}')`)
  database.close()
}

t.test('databases of every earlier version open, with their rows and all collections', async (t) => {
  for (let steps = 1; steps <= MIGRATIONS.length; steps++) {
    const path = temporary(t)
    makeOld(path, steps)
    const store = openSqliteStore(path)
    t.match(await store.get('meta', 'm'), { value: 'kept' }, `from version ${steps}`)
    t.equal(await store.count('secrets', 'name', []), 0)
    t.equal(await store.count('secretVersions', 'number', []), 0)
    t.equal(await store.count('grants', 'key', []), 0)
    await store.close()
  }
})

t.test('a newer one is refused in words', async (t) => {
  const path = temporary(t)
  await openSqliteStore(path).close()
  const database = new Database(path)
  const known = MIGRATIONS.length - 1
  t.throws(() => migrate(database, MIGRATIONS.slice(0, known)), {
    message: new RegExp(`schema version ${known + 1}, this version of trefoil knows ${known}: start a newer trefoil`),
  })
  database.close()
})
