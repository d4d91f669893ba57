/** An alias and the deletion of its key, at the same time. */
import t from 'tap'
import { createAlias, updateAlias } from '../../src/core/ops/aliases.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { purgeKey } from '../../src/core/ops/purge-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import type { Store } from '../../src/core/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const ring = { by: 'default' } as const

/** A kernel that does `rival.work` once, right before its next commit of an alias. */
async function makeRaced(rival: { work?: (() => Promise<unknown>) | undefined }): Promise<TestKernel> {
  const inner = new MemoryStore()
  const commit: Store['commit'] = async (writes) => {
    const { work } = rival
    if (work !== undefined && writes.some(({ kind, collection }) => collection === 'aliases' && kind !== 'delete')) {
      rival.work = undefined
      await work()
    }
    return inner.commit(writes)
  }
  const store: Store = new Proxy(inner, {
    get(target, name) {
      if (name === 'commit') return commit
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return makeKernel({ store })
}

const RIVALS = {
  'is to be deleted': { purged: false, refusal: 'key_pending_deletion' },
  'is gone': { purged: true, refusal: 'key_not_found' },
} as const

for (const [what, { purged, refusal }] of Object.entries(RIVALS)) {
  t.test(`no alias comes to a key that ${what} by then`, async (t) => {
    const rival: { work?: () => Promise<unknown> } = {}
    const { run, code, store } = await makeRaced(rival)
    const make = async () => {
      const { key } = await run('azure', createKey, { ring, spec: 'ec_p256' })
      return { by: 'id', id: key.id } as const
    }
    const remove = async (key: Awaited<ReturnType<typeof make>>) => {
      await run('azure', scheduleDeletion, { key })
      if (purged) await run('azure', purgeKey, { key })
    }
    const first = await make()
    rival.work = () => remove(first)
    t.equal(await code(run('aws', createAlias, { key: first, alias: 'alias/a' })), refusal)
    t.equal(await store.count('aliases', 'name', []), 0)

    const [from, to] = [await make(), await make()]
    await run('aws', createAlias, { key: from, alias: 'alias/a' })
    rival.work = () => remove(to)
    t.equal(await code(run('aws', updateAlias, { key: to, alias: 'alias/a' })), refusal)
    t.equal(await store.count('aliases', 'key', [from.id]), 1, 'the alias stands for what it stood for')
  })
}

t.test('rivals do not exceed the number of aliases that a key may have', async (t) => {
  const { run, code, store } = await makeKernel()
  const { key } = await run('aws', createKey, { ring, spec: 'ec_p256' })
  const request = { key: { by: 'id', id: key.id }, limit: 5 } as const
  const codes = await Promise.all(
    Array.from({ length: 20 }, (_, n) => code(run('aws', createAlias, { ...request, alias: `alias/${n}` }))),
  )
  t.equal(codes.filter((one) => one === 'ok').length, 5)
  t.equal(codes.filter((one) => one === 'limit_exceeded').length, 15)
  t.equal(await store.count('aliases', 'key', [key.id]), 5)
})
