/** The limit on messages of a version: exact for one process, and never passed by several. */
import t from 'tap'
import { KmsError } from '../../src/core/error.ts'
import { MAX_MESSAGES, MessageCounter } from '../../src/core/message-counter.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { rawEncrypt } from '../../src/core/ops/raw-encrypt.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { makeKernel } from '../support/kernel.ts'

const VERSION = 'version-1'

/** How many of so many callers at once are let through; the others are told of the limit. */
async function taken(counters: readonly MessageCounter[], callers: number, version = VERSION): Promise<number> {
  const take = async (index: number): Promise<boolean> => {
    const counter = counters[index % counters.length] as MessageCounter
    try {
      await counter.take(version)
      return true
    } catch (error) {
      if (error instanceof KmsError && error.code === 'limit_exceeded') return false
      throw error
    }
  }
  const results = await Promise.all(Array.from({ length: callers }, (_, index) => take(index)))
  return results.filter(Boolean).length
}

const reserved = async (store: MemoryStore, version = VERSION) => (await store.get('messageCounts', version))?.reserved

t.test('as many messages as the limit, then none', async (t) => {
  const store = new MemoryStore()
  const counter = new MessageCounter(store, 5)
  for (let i = 0; i < 5; i++) await counter.take(VERSION)
  for (let i = 0; i < 3; i++) {
    await t.rejects(counter.take(VERSION), { code: 'limit_exceeded', params: { limit: 5 } })
  }
  t.equal(await reserved(store), 5)
  await counter.take('version-2')
  t.equal(await reserved(store, 'version-2'), 5, 'another version has a count of its own')
})

t.test('callers at once', async (t) => {
  const counter = new MessageCounter(new MemoryStore(), 100)
  t.equal(await taken([counter], 150), 100)
  t.equal(await taken([counter], 10), 0)
})

t.test('two processes over one store never pass the limit together', async (t) => {
  const store = new MemoryStore()
  const limit = 2 * 2 ** 14 + 7
  const counters = [new MessageCounter(store, limit), new MessageCounter(store, limit)]
  t.equal(await taken(counters, 2 * limit), limit)
  t.equal(await reserved(store), limit)
})

t.test('what a process had reserved is not used by the next', async (t) => {
  const store = new MemoryStore()
  const limit = 2 ** 14 + 10
  await new MessageCounter(store, limit).take(VERSION)
  t.equal(await reserved(store), 2 ** 14, 'a block')
  const next = new MessageCounter(store, limit)
  t.equal(await taken([next], 50), 10, 'what was left of the limit')
  t.equal(await reserved(store), limit)
  t.equal(await taken([new MessageCounter(store, limit)], 5), 0)
})

t.test('a block costs one write, and nothing is taken that could not be written', async (t) => {
  const store = new MemoryStore()
  const { commit } = store
  let commits = 0
  store.commit = (writes) => {
    commits += 1
    return commit.call(store, writes)
  }
  const counter = new MessageCounter(store)
  await taken([counter], 2 ** 14)
  t.equal(commits, 1)
  store.commit = () => Promise.reject(new KmsError('store_unavailable'))
  await t.rejects(counter.take(VERSION), { code: 'store_unavailable' })
  store.commit = commit
  await counter.take(VERSION)
  t.equal(await reserved(store), 2 * 2 ** 14)
})

t.test('in the kernel: AES-GCM counts, up to 2^32', async (t) => {
  const store = new MemoryStore()
  const core = await makeKernel({ store })
  const purpose = 'raw_encrypt_decrypt'
  const { key, current } = await core.run('gcp', createKey, {
    ring: { by: 'default' },
    name: 'raw',
    spec: 'aes_256',
    purpose,
  })
  const version = current?.id ?? ''
  const input = { key: { by: 'id', id: key.id }, plaintext: Buffer.alloc(16) } as const
  for (const algorithm of ['aes_cbc', 'aes_ctr', 'aes_kwp'] as const) {
    await core.run('gcp', rawEncrypt, { ...input, algorithm })
  }
  await core.run('gcp', rawEncrypt, { ...input, algorithm: 'aes_gcm', dryRun: true })
  t.equal(await reserved(store, version), undefined, 'nothing else does')
  await core.run('gcp', rawEncrypt, { ...input, algorithm: 'aes_gcm' })
  const row = await store.get('messageCounts', version)
  t.equal(row?.reserved, 2 ** 14)
  const full = { id: version, reserved: MAX_MESSAGES }
  await store.commit([{ kind: 'update', collection: 'messageCounts', row: full, revision: row?.revision ?? 0 }])
  const second = await makeKernel({ store, sealer: core.sealer })
  const gcm = { ...input, algorithm: 'aes_gcm' } as const
  t.equal(await second.code(second.run('gcp', rawEncrypt, gcm)), 'limit_exceeded')
  t.equal(await second.code(second.run('gcp', rawEncrypt, { ...gcm, algorithm: 'aes_ctr' })), 'ok')
})

t.test('envelopes have a key for each message, and no count', async (t) => {
  const { run, store } = await makeKernel()
  const { key } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
  await run('aws', encrypt, { key: { by: 'id', id: key.id }, algorithm: 'envelope', plaintext: Buffer.from('x') })
  t.equal(await store.count('messageCounts', 'all', []), 0)
})
