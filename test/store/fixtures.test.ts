/** Databases as earlier versions left them (test/fixtures): started on, they open with all that was in them. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DecryptCommand, EncryptCommand, KMSClient, VerifyCommand } from '@aws-sdk/client-kms'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { MIGRATIONS, schemaOf } from '../../src/store/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { runBin } from '../cli/run.ts'
import { startTrefoil } from '../support/process.ts'

const FIXTURES = new URL('../fixtures/', import.meta.url).pathname
const names = readdirSync(FIXTURES).flatMap((name) => (name.endsWith('.sql') ? [name.slice(0, -4)] : []))
type Facts = Readonly<Record<'rootKey' | 'message' | 'ec' | 'ciphertext' | 'signature', string>>

function unpack(t: Test, name: string): { readonly dataDir: string; readonly schema: number; readonly facts: Facts } {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-fixture-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const dataDir = join(folder, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  const facts = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8')) as Facts
  const database = new Database(join(dataDir, 'trefoil.db'))
  database.exec(readFileSync(join(FIXTURES, `${name}.sql`), 'utf8'))
  const schema = schemaOf(database)
  database.close()
  writeFileSync(join(dataDir, 'root.key'), Buffer.from(facts.rootKey, 'hex'), { mode: 0o600 })
  return { dataDir, schema, facts }
}

t.ok(names.length >= 2, 'there are fixtures')
for (const name of names) {
  t.test(name, async (t) => {
    const { dataDir, schema, facts } = unpack(t, name)
    const check = await runBin(dataDir, ['upgrade', 'check', '--json'], { TREFOIL_DATA_DIR: dataDir })
    t.match(JSON.parse(check.out), { schema, known: MIGRATIONS.length })
    const copy = join(dataDir, `trefoil.db.schema-${schema}`)
    t.notOk(existsSync(copy), 'looking changes nothing')
    const trefoil = await startTrefoil({ dataDir })
    t.teardown(() => trefoil.kill())
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
    const client = new KMSClient({ endpoint: trefoil.plainUrl, region: 'us-east-1', credentials })
    t.teardown(() => client.destroy())
    const message = Buffer.from(facts.message)
    const open = async (ciphertext: Uint8Array | undefined) => {
      const { Plaintext = new Uint8Array(0) } = await client.send(new DecryptCommand({ CiphertextBlob: ciphertext }))
      return Buffer.compare(Plaintext, message)
    }
    t.equal(await open(Buffer.from(facts.ciphertext, 'base64')), 0)
    const again = await client.send(new EncryptCommand({ KeyId: 'alias/kept', Plaintext: message }))
    t.equal(await open(again.CiphertextBlob), 0, 'by its alias')
    const signature = { KeyId: facts.ec, Message: message, Signature: Buffer.from(facts.signature, 'base64') }
    t.ok((await client.send(new VerifyCommand({ ...signature, SigningAlgorithm: 'ECDSA_SHA_256' }))).SignatureValid)
    if (schema === MIGRATIONS.length) return
    t.equal(statSync(copy).mode & 0o777, 0o600)
    const kept = new Database(copy, { readonly: true })
    t.equal(schemaOf(kept), schema, 'it is kept as it was')
    kept.close()
  })
}

t.test('a migration that was cut short goes on, and its copy is from before it', async (t) => {
  const [name = ''] = names
  const { dataDir, schema } = unpack(t, name)
  const path = join(dataDir, 'trefoil.db')
  // As a process leaves it that was killed after the copy and one step.
  const database = new Database(path)
  const copy = `${path}.schema-${schema}`
  database.prepare('VACUUM INTO ?').run(copy)
  const before = readFileSync(copy)
  writeFileSync(`${path}.schema-${schema}.partial`, 'half of a copy')
  MIGRATIONS[schema]?.(database)
  database.pragma(`user_version = ${schema + 1}`)
  database.close()
  const told: string[] = []
  const store = openSqliteStore(path, { warn: (message) => told.push(message) })
  t.equal(await store.count('keys', 'realm', []), 2)
  await store.close()
  t.ok(readFileSync(copy).equals(before))
  t.match(told, schema + 1 === MIGRATIONS.length ? [] : [/kept as it was/])
})

t.test('a newer one is refused with the reason', async (t) => {
  const { dataDir } = unpack(t, names.at(-1) ?? '')
  const database = new Database(join(dataDir, 'trefoil.db'))
  database.pragma(`user_version = ${MIGRATIONS.length + 1}`)
  database.close()
  const env = { TREFOIL_DATA_DIR: dataDir }
  for (const args of [['upgrade', 'check'], ['serve']]) {
    t.match(await runBin(dataDir, args, env), {
      code: 1,
      err: /schema version \d+, this version of trefoil knows \d+: start a newer/,
    })
  }
})
