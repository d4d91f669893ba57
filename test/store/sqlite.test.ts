/** The suite over SQLite, and what only a database on a disk can get wrong. */
import { randomBytes } from 'node:crypto'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { StartError } from '../../src/core/error.ts'
import { MIGRATIONS, migrate } from '../../src/store/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { aliasOf, codeOf, insert, remove, storeSuite, update } from '../conformance/store.ts'

const directory = (t: Test): string => {
  const path = mkdtempSync(join(tmpdir(), 'trefoil-store-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}
const open = (t: Test, path: string) => {
  const store = openSqliteStore(path)
  t.teardown(() => store.close())
  return store
}

t.test('SQLite', async (t) => storeSuite(t, async (t) => open(t, join(directory(t), 'trefoil.db'))))

t.test('with a cache that holds next to nothing', async (t) =>
  storeSuite(t, async (t) => {
    const store = openSqliteStore(join(directory(t), 'trefoil.db'), { cachedRows: 1 })
    t.teardown(() => store.close())
    return store
  }),
)

t.test('it is durable by what it asks of SQLite, and refuses to go on without', async (t) => {
  const { pragma } = Database.prototype
  let opened: Database.Database | undefined
  let lie: string | undefined
  Database.prototype.pragma = function (this: Database.Database, source: string, options?: Database.PragmaOptions) {
    opened = this
    return source === lie ? 'no' : pragma.call(this, source, options)
  }
  t.teardown(() => {
    Database.prototype.pragma = pragma
  })
  const path = join(directory(t), 'trefoil.db')
  const store = open(t, path)
  for (const [name, value] of [
    ['synchronous', 2],
    ['journal_mode', 'wal'],
    ['secure_delete', 1],
    ['trusted_schema', 0],
  ] as const) {
    t.equal(pragma.call(opened as Database.Database, name, { simple: true }), value, name)
  }
  for (const name of readdirSync(join(path, '..'))) t.equal(statSync(join(path, '..', name)).mode & 0o077, 0, name)
  await store.close()
  for (lie of ['synchronous', 'journal_mode', 'secure_delete']) {
    t.throws(() => openSqliteStore(path), { message: `SQLite refuses ${lie}=` })
  }
  lie = undefined
  await openSqliteStore(path).close()
})

t.test('what is deleted or overwritten is gone from the file', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  const [one, two] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')]
  const [a, b] = [aliasOf('a', { keyId: one }), aliasOf('b', { keyId: two })]
  let store = openSqliteStore(path)
  await store.commit([insert(a), insert(b)])
  await store.close()
  const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()
  const holds = (text: string): boolean => readFileSync(path).includes(text) || readFileSync(path).includes(utf16(text))
  t.ok(holds(one) && holds(two), 'they were there')
  store = openSqliteStore(path)
  await store.commit([remove(a.id, 1), update({ ...b, keyId: 'k' }, 1)])
  await store.close()
  t.notOk(holds(one), 'deleted')
  t.notOk(holds(two), 'overwritten')
  t.same(
    readdirSync(join(path, '..')).filter((name) => name.startsWith('trefoil.db')),
    ['trefoil.db'],
  )
})

t.test('a database of a newer version, another program’s, and a damaged one are left alone', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  await openSqliteStore(path).close()
  const change = (work: (database: Database.Database) => void): void => {
    const database = new Database(path)
    work(database)
    database.close()
  }
  change((database) => database.pragma('user_version = 999'))
  const before = readFileSync(path)
  t.throws(() => openSqliteStore(path), {
    message: /has schema version 999, this version of trefoil knows \d+: start a newer/,
  })
  t.same(readFileSync(path), before)
  change((database) => database.pragma(`user_version = ${MIGRATIONS.length}`))
  await openSqliteStore(path).close()
  change((database) => database.pragma('application_id = 7'))
  t.throws(() => openSqliteStore(path), { message: 'is a database of another program' })
  writeFileSync(path, randomBytes(8192))
  t.throws(() => openSqliteStore(path), StartError)
})

t.test('migrations run once each, all or nothing', async (t) => {
  const path = join(directory(t), 'm.db')
  const database = new Database(path)
  t.teardown(() => database.close())
  migrate(database)
  const version = () => database.pragma('user_version', { simple: true })
  t.equal(version(), MIGRATIONS.length)
  let runs = 0
  const extra = (db: Database.Database): void => {
    runs++
    db.exec('CREATE TABLE extra (a)')
  }
  const more = [...MIGRATIONS, extra]
  const failing = (db: Database.Database): void => {
    db.exec('CREATE TABLE half (a)')
    throw new Error('no')
  }
  t.throws(() => migrate(database, [...more, failing]), { message: 'no' })
  t.equal(version(), MIGRATIONS.length + 1, 'the step that worked stays')
  t.equal(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").get(), undefined)
  migrate(database, more)
  t.equal(runs, 1)
  database.exec('DROP TABLE rows_keys')
  t.throws(() => migrate(database, more), { message: 'has no table for keys' })
})

t.test('entries made by other index definitions are made anew', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  let store = openSqliteStore(path)
  await store.commit([insert(aliasOf('a'))])
  await store.close()
  const database = new Database(path)
  database.exec("DELETE FROM entries; UPDATE settings SET value = 'other' WHERE name = 'indexes'")
  database.close()
  store = open(t, path)
  t.equal((await store.find('aliases', 'name', ['r', 'a']))?.name, 'a')
})

t.test('one process a directory, told by its number', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  const store = openSqliteStore(path)
  t.throws(() => openSqliteStore(path), { message: `in use by process ${process.pid}` })
  await store.close()
  await openSqliteStore(path).close()
})

t.test('a file that is away takes no writes, and serves again when it is back', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  const store = open(t, path)
  await store.commit([insert(aliasOf('a'))])
  renameSync(path, `${path}.away`)
  t.equal(await codeOf(store.commit([insert(aliasOf('b'))])), 'store_unavailable')
  t.equal(await codeOf(store.health()), 'store_unavailable')
  writeFileSync(path, '')
  t.equal(await codeOf(store.commit([insert(aliasOf('b'))])), 'store_unavailable', 'another file in its place')
  renameSync(`${path}.away`, path)
  await store.commit([insert(aliasOf('b'))])
  t.equal(await codeOf(store.health()), 'ok')
  t.equal(await store.count('aliases', 'name', []), 2)
})

const FATES = {
  deleted: (path: string) => rmSync(path),
  'moved away': (path: string) => renameSync(path, `${path}.away`),
  'replaced by an old one': (path: string) => {
    const old = readFileSync(path)
    rmSync(path)
    writeFileSync(path, old)
  },
}

for (const suffix of ['-wal', '-shm']) {
  for (const [fate, strike] of Object.entries(FATES)) {
    t.test(`${suffix} ${fate}: what was acknowledged is kept, and what comes after`, async (t) => {
      const folder = directory(t)
      const path = join(folder, 'trefoil.db')
      const warnings: string[] = []
      const store = openSqliteStore(path, { warn: (message) => warnings.push(message) })
      t.teardown(() => store.close())
      const a = aliasOf('a')
      await store.commit([insert(a)])
      strike(path + suffix)
      if (fate === 'deleted') await store.commit([insert(aliasOf('b'))])
      else await store.health()
      t.equal(warnings.length, 1)
      t.match(warnings[0], `${path}${suffix} was deleted or replaced`)
      await store.commit([insert(aliasOf('c')), update({ ...a, keyId: 'later' }, 1)])
      t.equal((await store.get('aliases', a.id))?.revision, 2)
      await store.health()
      t.equal(warnings.length, 1, 'said once')
      // What a process that dies now leaves.
      const copy = directory(t)
      for (const name of ['', '-wal']) copyFileSync(path + name, join(copy, `trefoil.db${name}`))
      const next = open(t, join(copy, 'trefoil.db'))
      t.equal(await next.count('aliases', 'name', []), fate === 'deleted' ? 3 : 2)
      t.equal((await next.get('aliases', a.id))?.keyId, 'later')
    })
  }
}

t.test('a file that goes away in the midst of a commit: not acknowledged', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  const { transaction } = Database.prototype
  let strike = () => {}
  Database.prototype.transaction = function (this: Database.Database, work: (...args: unknown[]) => unknown) {
    return transaction.call(this, (...args: unknown[]) => {
      strike()
      return work(...args)
    })
  } as typeof transaction
  const store = open(t, path)
  Database.prototype.transaction = transaction
  await store.commit([insert(aliasOf('a'))])
  strike = () => renameSync(path, `${path}.away`)
  t.equal(await codeOf(store.commit([insert(aliasOf('b'))])), 'store_unavailable')
  strike = () => {}
  renameSync(`${path}.away`, path)
  t.equal(await codeOf(store.commit([insert(aliasOf('b'))])), 'conflict', 'it is there all the same')
  strike = () => rmSync(`${path}-wal`)
  await store.commit([insert(aliasOf('c'))])
  const copy = join(directory(t), 'trefoil.db')
  copyFileSync(path, copy)
  t.equal(await open(t, copy).count('aliases', 'name', []), 3, 'what the lost file had is in the database')
})

t.test('a database that fills up: refused, not half done, and back when there is room', async (t) => {
  const path = join(directory(t), 'trefoil.db')
  const { prepare } = Database.prototype
  let opened: Database.Database | undefined
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    opened = this
    return prepare.call(this, source)
  } as typeof prepare
  const store = open(t, path)
  Database.prototype.prepare = prepare
  const database = opened as Database.Database
  await store.commit([insert(aliasOf('a'))])
  database.pragma(`max_page_count = ${Number(database.pragma('page_count', { simple: true }))}`)
  const large = { ...aliasOf('large'), keyId: 'x'.repeat(200_000) }
  t.equal(await codeOf(store.commit([insert(aliasOf('b')), insert(large)])), 'store_unavailable')
  t.equal(await codeOf(store.health()), 'store_unavailable', 'a probe meets the full disk as well')
  t.equal(await store.count('aliases', 'name', []), 1)
  t.equal(await store.get('aliases', large.id), undefined)
  database.pragma('max_page_count = 1000000')
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.equal(await codeOf(store.health()), 'ok')
  await store.commit([insert(large)])
})
