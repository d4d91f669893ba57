/**
 * `node test/bench/scale.ts`: what a store of BENCH_KEYS keys (1,000,000) costs beside one of 1,000, which are written
 * straight into it: the time until the server is ready, the CPU of an Encrypt over keys drawn at random, and that of
 * pages of a list. Then the memory after 100,000 and after BENCH_REQUESTS (1,000,000) mixed requests.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { loadConfig } from '../../src/config.ts'
import type { Key, KeyVersion } from '../../src/core/key.ts'
import type { Store, Stored, Write } from '../../src/core/ports.ts'
import { RingKeys } from '../../src/core/ring-keys.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { Closers, openVault } from '../../src/vault.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { cpuSeconds } from './cpu.ts'

const KEYS = Number(process.env.BENCH_KEYS ?? 1_000_000)
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 1_000_000)
const FEW = 1000
const BATCH = 2000
const PARALLEL = 32

type Ask = (target: string, body: unknown) => Promise<Record<string, unknown>>

function asking({ plainUrl }: RunningTrefoil): Ask {
  return async (target, body) => {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${target}` }
    const response = await fetch(plainUrl, { method: 'POST', headers, body: JSON.stringify(body) })
    const answer = JSON.parse((await response.text()) || '{}') as Record<string, unknown>
    if (response.status !== 200) throw new Error(`${target}: ${JSON.stringify(answer)}`)
    return answer
  }
}

const withoutRevision = <T>({ revision: _revision, ...row }: Stored<T>): T => row as unknown as T

/** Like the key that is there, which the API has made. */
async function copies(store: Store, backend: SoftwareBackend, key: Key, version: KeyVersion, count: number) {
  const ctx = { signal: new AbortController().signal, requestId: randomUUID() }
  const writes: Write[] = []
  for (let made = 0; made < count; made++) {
    const [id, versionId] = [randomUUID(), randomUUID()]
    const { ref } = await backend.generateKey('aes_256', { ringId: key.ringId, versionId }, ctx)
    const names = { hexId: randomBytes(16).toString('hex'), materialId: randomBytes(32).toString('hex') }
    writes.push(
      { kind: 'insert', collection: 'keys', row: { ...key, id, name: id } },
      { kind: 'insert', collection: 'versions', row: { ...version, ...names, id: versionId, keyId: id, ref } },
    )
  }
  await store.commit(writes)
}

async function fill(dataDir: string, count: number): Promise<void> {
  const closers = new Closers()
  const { store, sealer } = await openVault(
    loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } }),
    pino({ level: 'silent' }),
    closers,
  )
  const backend = new SoftwareBackend(new RingKeys(store, sealer))
  const realm = await store.get('meta', 'built-in-realm')
  const realmId = typeof realm?.value === 'string' ? realm.value : ''
  const [found] = (await store.page('keys', 'realm', [realmId], undefined, 1)).rows
  const [made] = found === undefined ? [] : (await store.page('versions', 'number', [found.id], undefined, 1)).rows
  if (found === undefined || made === undefined) throw new Error('no key to copy')
  const [key, version] = [withoutRevision<Key>(found), withoutRevision<KeyVersion>(made)]
  for (let left = count; left > 0; left -= BATCH) await copies(store, backend, key, version, Math.min(BATCH, left))
  await closers.run()
}

/** µs of the server's CPU for one of so many requests. */
async function costOf(server: RunningTrefoil, requests: number, one: () => Promise<unknown>): Promise<number> {
  const worker = async (count: number): Promise<void> => {
    for (let asked = 0; asked < count; asked++) await one()
  }
  const before = cpuSeconds(server.pid)
  await Promise.all(Array.from({ length: PARALLEL }, () => worker(requests / PARALLEL)))
  return ((cpuSeconds(server.pid) - before) / requests) * 1e6
}

async function pages(ask: Ask, count: number): Promise<{ readonly ids: string[]; readonly marker: unknown }> {
  const ids: string[] = []
  let marker: unknown
  for (let page = 0; page < count; page++) {
    const answer = await ask('ListKeys', { Limit: 100, ...(marker !== undefined && { Marker: marker }) })
    ids.push(...(answer.Keys as { KeyId: string }[]).map(({ KeyId }) => KeyId))
    marker = answer.NextMarker
    if (marker === undefined) break
  }
  return { ids, marker }
}

const PLAINTEXT = randomBytes(32).toString('base64')

async function measure(name: string, dataDir: string) {
  const started = performance.now()
  const server = await startTrefoil({ dataDir })
  const ready = (performance.now() - started) / 1000
  const ask = asking(server)
  const { ids, marker } = await pages(ask, 200)
  const ten = ids.slice(0, 10)
  const encrypt = (keys: readonly string[]) => () =>
    ask('Encrypt', { KeyId: keys[randomInt(keys.length)], Plaintext: PLAINTEXT })
  await costOf(server, 1600, encrypt(ten))
  const row = {
    store: name,
    'ready s': Number(ready.toFixed(2)),
    'Encrypt, 10 keys, µs': await costOf(server, 4800, encrypt(ten)),
    'Encrypt, all that were listed, µs': await costOf(server, 4800, encrypt(ids)),
    'first page, µs': await costOf(server, 1600, () => ask('ListKeys', { Limit: 100 })),
    'late page, µs': await costOf(server, 1600, () =>
      ask('ListKeys', { Limit: 100, ...(marker !== undefined && { Marker: marker }) }),
    ),
  }
  await server.stop()
  return Object.fromEntries(
    Object.entries(row).map(([label, value]) => [
      label,
      typeof value === 'number' && value > 10 ? Math.round(value) : value,
    ]),
  )
}

const residentMb = (pid: number): number =>
  Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

async function memory(dataDir: string): Promise<readonly object[]> {
  const server = await startTrefoil({ dataDir })
  const ask = asking(server)
  const { ids } = await pages(ask, 100)
  const kinds = [
    () => ask('Encrypt', { KeyId: ids[randomInt(ids.length)], Plaintext: PLAINTEXT }),
    () => ask('DescribeKey', { KeyId: ids[randomInt(ids.length)] }),
    () => ask('GenerateDataKey', { KeyId: ids[randomInt(ids.length)], KeySpec: 'AES_256' }),
    () => ask('ListKeys', { Limit: 10 }),
    () =>
      ask('TagResource', {
        KeyId: ids[randomInt(ids.length)],
        Tags: [{ TagKey: 'a', TagValue: String(randomInt(1000)) }],
      }),
    () => ask('Encrypt', { KeyId: randomUUID(), Plaintext: PLAINTEXT }).catch(() => {}),
  ]
  const rows: object[] = []
  let done = 0
  for (const until of [100_000, REQUESTS]) {
    await costOf(server, until - done, () => (kinds[randomInt(kinds.length)] ?? kinds[0])?.() ?? Promise.resolve())
    done = until
    rows.push({ requests: done, 'resident MB': residentMb(server.pid) })
  }
  await server.stop()
  return rows
}

async function run(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'trefoil-scale-'))
  try {
    const rows: object[] = []
    for (const count of [FEW, KEYS]) {
      const dataDir = join(root, String(count))
      const server = await startTrefoil({ dataDir })
      await asking(server)('CreateKey', {})
      await server.stop()
      const started = performance.now()
      await fill(dataDir, count - 1)
      process.stderr.write(`${count} keys written in ${Math.round((performance.now() - started) / 1000)} s\n`)
      rows.push(await measure(`${count} keys`, dataDir))
    }
    console.table(rows)
    if (REQUESTS > 0) console.table(await memory(join(root, String(KEYS))))
  } finally {
    rmSync(root, { recursive: true })
  }
}

await run()
