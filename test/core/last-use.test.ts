/** When a key was last used: what counts, what it costs, and what is left of it after a stop and a purge. */
import t from 'tap'
import { type LastUse, LastUses } from '../../src/core/last-use.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getLastUse } from '../../src/core/ops/get-last-use.ts'
import { purgeKey } from '../../src/core/ops/purge-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { verify } from '../../src/core/ops/verify.ts'
import type { Store } from '../../src/core/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { makeKernel } from '../support/kernel.ts'

const DAY = 86_400_000
const message = { message: Buffer.from('x') }

/** A store that counts its commits. */
function counting(): { store: Store; commits: () => number } {
  const store = new MemoryStore()
  let commits = 0
  const commit = store.commit.bind(store)
  store.commit = (writes) => {
    commits += 1
    return commit(writes)
  }
  return { store, commits: () => commits }
}

t.test('uses that succeed are kept without a write for each', async (t) => {
  const { store, commits } = counting()
  const core = await makeKernel({ store })
  const { key } = await core.run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
  const reference = { by: 'id', id: key.id } as const
  const last = async () => (await core.run('aws', getLastUse, { key: reference })).lastUse
  t.equal(await last(), undefined)
  const input = { key: reference, algorithm: 'envelope', plaintext: Buffer.from('x') } as const
  await core.run('aws', encrypt, { ...input, dryRun: true })
  t.equal(await last(), undefined, 'a dry run uses nothing')
  const before = commits()
  for (let i = 0; i < 20; i++) {
    core.clock.time += 1000
    await core.run('gcp', encrypt, input, { wire: 'Encrypt' })
  }
  t.equal(commits(), before)
  const record = core.audit.records.findLast(({ operation }) => operation === 'Encrypt')
  const expected = {
    use: 'encrypt',
    dialect: 'gcp',
    wire: 'Encrypt',
    at: core.clock.now(),
    requestId: record?.requestId,
    recordId: record?.id,
  }
  t.match(await last(), expected)
  await core.kernel.stop()
  t.equal(commits(), before + 1, 'one write for them all')
  await core.kernel.stop()
  t.equal(commits(), before + 1, 'what is written is not written again')
  const second = await makeKernel({ store, sealer: core.sealer })
  t.match((await second.run('aws', getLastUse, { key: reference })).lastUse, expected, 'the next process knows')
})

t.test('a signature that does not verify is no use, one that does is', async (t) => {
  const core = await makeKernel()
  const { key } = await core.run('aws', createKey, { ring: { by: 'default' }, spec: 'ec_p256' })
  const reference = { by: 'id', id: key.id } as const
  const used = async () => (await core.run('aws', getLastUse, { key: reference })).lastUse?.use
  const input = { key: reference, algorithm: 'ecdsa_sha256', input: message } as const
  const { signature } = await core.run('aws', sign, input)
  t.equal(await used(), 'sign')
  await core.run('aws', verify, { ...input, signature: new Uint8Array(64) })
  t.equal(await used(), 'sign')
  await core.run('aws', verify, { ...input, signature })
  t.equal(await used(), 'verify')
})

t.test('a purged key takes it along, whether it was written or not', async (t) => {
  const core = await makeKernel()
  for (const written of [true, false]) {
    const { key } = await core.run('azure', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
    const reference = { by: 'id', id: key.id } as const
    await core.run('azure', encrypt, { key: reference, algorithm: 'envelope', plaintext: Buffer.from('x') })
    if (written) await core.kernel.stop()
    t.equal((await core.store.get('lastUses', key.id)) !== undefined, written)
    await core.run('azure', scheduleDeletion, { key: reference, delay: DAY })
    await core.run('azure', purgeKey, { key: reference })
    await core.kernel.stop()
    t.equal(await core.store.get('lastUses', key.id), undefined)
  }
  t.equal(await core.store.count('lastUses', 'all', []), 0)
})

t.test('what the store refuses stays in memory', async (t) => {
  const store = new MemoryStore()
  const core = await makeKernel({ store })
  const { key } = await core.run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
  const reference = { by: 'id', id: key.id } as const
  await core.run('aws', encrypt, { key: reference, algorithm: 'envelope', plaintext: Buffer.from('x') })
  const { commit } = store
  store.commit = () => Promise.reject(new Error('the disk is full'))
  await t.rejects(core.kernel.stop())
  t.match((await core.run('aws', getLastUse, { key: reference })).lastUse, { use: 'encrypt' })
  store.commit = commit
  await core.kernel.stop()
  t.match(await store.get('lastUses', key.id), { use: 'encrypt' })
})

t.test('since when uses are known', async (t) => {
  const core = await makeKernel()
  const { key } = await core.run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
  const since = async () => (await core.run('aws', getLastUse, { key: { by: 'id', id: key.id } })).since
  t.equal(await since(), key.createdAt)
  core.clock.time += DAY
  await core.kernel.start()
  t.equal(await since(), core.clock.now(), 'a key older than that')
  const started = core.clock.now()
  core.clock.time += DAY
  await core.kernel.start()
  t.equal(await since(), started, 'for good')
})

t.test('a minute after the first of them, they are written together', async (t) => {
  const { store, commits } = counting()
  const core = await makeKernel({ store })
  const keys: string[] = []
  for (let i = 0; i < 3; i++) {
    keys.push((await core.run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })).key.id)
  }
  const alarms: { at: number; fire: () => void }[] = []
  const schedule = (at: number, fire: () => void) => {
    alarms.push({ at, fire })
    return () => {}
  }
  const uses = new LastUses(store, { now: () => 1000, schedule })
  const use = (id: string, at: number): LastUse => ({
    id,
    use: 'encrypt',
    dialect: 'aws',
    wire: 'Encrypt',
    at,
    requestId: 'r',
    recordId: 'x',
  })
  for (const id of keys) for (const at of [1, 2]) uses.note(use(id, at))
  t.same(
    alarms.map(({ at }) => at),
    [61_000],
  )
  const before = commits()
  alarms[0]?.fire()
  await uses.flush()
  t.equal(commits(), before + 1)
  for (const id of keys) t.equal((await store.get('lastUses', id))?.at, 2)
  uses.note(use(keys[0] ?? '', 3))
  t.equal(alarms.length, 2, 'the next use has the next alarm')
  const late = new LastUses(store, { now: () => 1000, schedule })
  late.note(use(keys[1] ?? '', 1))
  await late.flush()
  t.equal((await store.get('lastUses', keys[1] ?? ''))?.at, 2, 'an older use of another process is not written over')
})
