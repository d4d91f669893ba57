/** A process that dies between a commit and its record in the chain: the next one chains it, once. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openAuditLog } from '../../src/audit/log.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { listRealmKeys } from '../../src/core/ops/list-keys.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { type KernelOptions, makeKernel, type TestKernel } from '../support/kernel.ts'
import { Faults, makeLog, until } from './support.ts'

const RIVALS = 5
const create = ({ run }: TestKernel, n: number) =>
  run('aws', createKey, { ring: { by: 'default' }, name: `key-${n}`, spec: 'aes_256' })

/** What the disk holds at the moment: what a process that dies now leaves. */
function photograph(root: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'trefoil-outbox-'))
  cpSync(root, copy, { recursive: true })
  return copy
}

for (const [name, hold] of [
  [
    'before the record is written',
    (faults: Faults) => {
      faults.write = Faults.error('ENOSPC')
      return () => {}
    },
  ],
  [
    'after it is written, before it is acknowledged',
    (faults: Faults) => {
      const { promise, reject } = Promise.withResolvers<void>()
      faults.hang = promise
      return () => reject(Faults.error('EIO'))
    },
  ],
] as const) {
  t.test(`killed ${name}`, async (t) => {
    const world = await makeLog(t, { retryMs: 1_000_000 })
    const database = join(world.root, 'trefoil.db')
    const store = openSqliteStore(database)
    const audit = (await world.open()) as unknown as NonNullable<KernelOptions['audit']>
    const kernel = await makeKernel({ store, audit })
    await create(kernel, 0)
    const letGo = hold(world.faults)
    const lost = Promise.allSettled(Array.from({ length: RIVALS }, (_, n) => create(kernel, n + 1)))
    let committed = 0
    const counting = setInterval(async () => {
      committed = await store.count('keys', 'name', [])
    }, 5)
    await until(() => committed === RIVALS + 1)
    clearInterval(counting)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const copy = photograph(world.root)
    t.teardown(() => rmSync(copy, { recursive: true, force: true }))
    letGo()
    for (const result of await lost) t.match(result, { status: 'rejected', reason: { code: 'audit_unavailable' } })
    world.faults.hang = undefined
    await store.close()

    const { key, signer } = world
    const options = { directory: join(copy, 'audit'), checkpoints: join(copy, 'checkpoints'), key, signer }
    const again = await openAuditLog({ ...options, warn: () => {} })
    const reopened = openSqliteStore(join(copy, 'trefoil.db'))
    const next = await makeKernel({
      store: reopened,
      audit: again as unknown as NonNullable<KernelOptions['audit']>,
      sealer: kernel.sealer,
    })
    await next.kernel.start()
    t.equal((await next.run('aws', listRealmKeys, { limit: 100 })).keys.length, RIVALS + 1, 'what was committed stands')
    t.equal(await reopened.count('outbox', 'all', []), 0)
    await again.close()
    await reopened.close()
    cpSync(options.directory, world.directory, { recursive: true })
    cpSync(options.checkpoints, world.checkpoints)
    t.match(world.verify(), { ok: true, records: RIVALS + 2 }, 'a record for each key and one for the list')
    const ids = world.ids()
    t.equal(new Set(ids).size, ids.length, 'none twice')
  })
}
