/** What SQLite adds to the suite: durability settings, layouts of other versions, files that others touched, failures. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { StartError } from '../../src/core/error.ts'
import { MIGRATIONS, migrate } from '../../src/store/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { alias, insert, remove, storeRefusal, storeSuite, update } from '../conformance/store.ts'

function databasePath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-store-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'trefoil.db')
}

t.test('the suite', async (t) => {
  storeSuite(t, async (t) => {
    const store = openSqliteStore(databasePath(t))
    t.teardown(() => store.close())
    return store
  })
})

t.test('the suite, with next to nothing kept in memory', async (t) => {
  storeSuite(t, async (t) => {
    const store = openSqliteStore(databasePath(t), { cachedRows: 1 })
    t.teardown(() => store.close())
    return store
  })
})

t.test('files are private, and settings are those that survive power loss', async (t) => {
  const path = databasePath(t)
  const store = openSqliteStore(path)
  await store.commit([insert(alias('a'))])
  for (const suffix of ['', '-wal', '-shm']) t.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix)
  const reader = new Database(path, { readonly: true })
  t.equal(reader.pragma('journal_mode', { simple: true }), 'wal')
  reader.close()
  await store.close()
})

t.test('what was committed is there after a restart, what was removed is not in the file', async (t) => {
  const path = databasePath(t)
  const [kept, gone] = [alias('kept'), alias('gone-0815-4711')]
  const store = openSqliteStore(path)
  await store.commit([insert(kept), insert(gone)])
  await store.commit([update({ ...kept, updatedAt: 9 }, 1), remove(gone.id, 1)])
  await store.close()
  t.notMatch(readFileSync(path).toString('latin1'), 'gone-0815-4711', 'secure_delete')
  const again = openSqliteStore(path)
  t.teardown(() => again.close())
  t.match(await again.get('aliases', kept.id), { updatedAt: 9, revision: 2 })
  t.equal(await again.get('aliases', gone.id), undefined)
})

t.test('one process, one opening', async (t) => {
  const path = databasePath(t)
  const store = openSqliteStore(path)
  t.throws(() => openSqliteStore(path), { message: new RegExp(`in use by process ${process.pid}`) })
  await store.commit([insert(alias('undisturbed'))])
  await store.close()
  await openSqliteStore(path).close()
})

t.test('databases that are not this version’s', async (t) => {
  const newer = databasePath(t)
  await openSqliteStore(newer).close()
  const raw = new Database(newer)
  raw.pragma(`user_version = ${MIGRATIONS.length + 1}`)
  raw.close()
  t.throws(() => openSqliteStore(newer), { message: /schema version \d+.*newer trefoil/ })

  const foreign = databasePath(t)
  const other = new Database(foreign)
  other.exec('CREATE TABLE theirs (x)')
  other.close()
  t.throws(() => openSqliteStore(foreign), { message: /another program/ })

  const damaged = databasePath(t)
  await openSqliteStore(damaged).close()
  const broken = new Database(damaged)
  broken.exec('DROP TABLE rows_keys')
  broken.close()
  t.throws(() => openSqliteStore(damaged), { message: /damaged/ })

  const garbage = databasePath(t)
  writeFileSync(garbage, Buffer.alloc(8192, 3))
  t.throws(() => openSqliteStore(garbage), StartError)
})

t.test('a migration that fails leaves the version before it', (t) => {
  const database = new Database(':memory:')
  const good = MIGRATIONS
  const failing = [
    ...good,
    (db: Database.Database) => {
      db.exec('CREATE TABLE half (x)')
      throw new Error('half-way')
    },
  ]
  t.throws(() => migrate(database, failing), { message: 'half-way' })
  t.equal(database.pragma('user_version', { simple: true }), good.length)
  t.equal(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(), undefined)
  database.close()
  t.end()
})

t.test('entries of other index definitions are made again', async (t) => {
  const path = databasePath(t)
  const store = openSqliteStore(path)
  await store.commit([insert(alias('a')), insert(alias('b'))])
  await store.close()
  const raw = new Database(path)
  raw.exec("DELETE FROM entries; UPDATE settings SET value = 'another' WHERE name = 'indexes'")
  raw.close()
  const again = openSqliteStore(path)
  t.teardown(() => again.close())
  t.equal((await again.find('aliases', 'name', ['realm-1', 'b']))?.name, 'b')
  t.equal(await again.count('aliases', 'key', ['key-1']), 2)
})

t.test('a file that was moved away takes no more writes, and health says so until it is back', async (t) => {
  const path = databasePath(t)
  const store = openSqliteStore(path)
  t.teardown(() => store.close())
  await store.commit([insert(alias('a'))])
  renameSync(path, `${path}.moved`)
  t.equal(await storeRefusal(store.commit([insert(alias('b'))])), 'store_unavailable')
  t.equal(await storeRefusal(store.health()), 'store_unavailable')
  t.equal(await store.find('aliases', 'name', ['realm-1', 'b']), undefined)
  renameSync(`${path}.moved`, path)
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.equal(await storeRefusal(store.health()), 'none')
  await store.commit([insert(alias('b'))])
  t.equal((await store.find('aliases', 'name', ['realm-1', 'b']))?.name, 'b')
})

t.test('another writer’s lock is an unavailable store, not a wait without end', async (t) => {
  const path = databasePath(t)
  const store = openSqliteStore(path)
  t.teardown(() => store.close())
  const row = alias('a')
  await store.commit([insert(row)])
  const intruder = new Database(path)
  intruder.exec('BEGIN IMMEDIATE')
  t.equal(await storeRefusal(store.commit([update({ ...row, updatedAt: 2 }, 1)])), 'store_unavailable')
  t.equal((await store.get('aliases', row.id))?.revision, 1, 'nothing half-written is shown')
  intruder.exec('ROLLBACK')
  intruder.close()
  await store.commit([update({ ...row, updatedAt: 2 }, 1)])
  t.equal((await store.get('aliases', row.id))?.revision, 2)
})

t.test('a directory that is a file, or may not be written', async (t) => {
  const path = databasePath(t)
  writeFileSync(path, '')
  t.throws(() => openSqliteStore(join(path, 'trefoil.db')), StartError)
  chmodSync(path, 0o600)
})
