/** The log as it is written: durable before it answers, shared syncs, checkpoints, and its way back from every failure. */
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import type { ChainedAuditLog } from '../../src/audit/log.ts'
import { appendEach, Faults, makeLog, recordOf, until } from './support.ts'

const codeOf = (work: Promise<void>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
const back = (log: ChainedAuditLog): Promise<void> => until(() => log.available)

t.test('records that come together share a sync', async (t) => {
  const world = await makeLog(t)
  const log = await world.open()
  await log.append(recordOf(1))
  const before = world.faults.syncs
  await Promise.all(Array.from({ length: 500 }, (_, n) => log.append(recordOf(n + 2))))
  t.ok(world.faults.syncs - before <= 3, `${world.faults.syncs - before} syncs for 500 records`)
  t.match(world.verify(), { ok: true, records: 501 })
})

t.test('an append resolves after its sync, not before', async (t) => {
  const world = await makeLog(t)
  const log = await world.open()
  const gate = Promise.withResolvers<void>()
  world.faults.hang = gate.promise
  let answered = false
  const append = log.append(recordOf(1)).then(() => {
    answered = true
  })
  await until(() => world.faults.syncs > 0)
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.notOk(answered)
  world.faults.hang = undefined
  gate.resolve()
  await append
  t.match(world.verify(), { ok: true, records: 1 })
})

t.test('checkpoints: every so many records, every so often, and at the end', async (t) => {
  const world = await makeLog(t, { checkpointRecords: 1000, checkpointMs: 60 })
  const seqs = (): number[] =>
    [...readFileSync(world.checkpoints, 'utf8').matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq))
  const log = await world.open()
  await Promise.all(Array.from({ length: 1000 }, (_, n) => log.append(recordOf(n))))
  await until(() => seqs().includes(1000))
  await appendEach(log, 1001, 1003)
  await until(() => seqs().includes(1003))
  const written = seqs().length
  await new Promise((resolve) => setTimeout(resolve, 150))
  t.equal(seqs().length, written, 'none without records')
  await log.append(recordOf(1004))
  await log.close()
  t.equal(seqs().at(-1), 1004)
  t.match(world.verify(), { ok: true, records: 1004 })
})

for (const [name, strike] of [
  ['a full disk', (faults: Faults) => (faults.write = Faults.error('ENOSPC'))],
  ['a write error', (faults: Faults) => (faults.write = Faults.error('EIO'))],
  ['a sync error', (faults: Faults) => (faults.sync = Faults.error('EIO'))],
] as const) {
  t.test(`${name}: refused at once, and back by itself`, async (t) => {
    const world = await makeLog(t)
    const log = await world.open()
    await appendEach(log, 1, 3)
    strike(world.faults)
    t.equal(await codeOf(log.append(recordOf(100))), 'audit_unavailable')
    t.equal(log.available, false)
    await t.rejects(log.health(), { code: 'audit_unavailable', cause: /made by the test/ })
    const nextTurn = new Promise<string>((resolve) => setImmediate(resolve, 'the disk was asked'))
    t.equal(await Promise.race([codeOf(log.append(recordOf(101))), nextTurn]), 'audit_unavailable')
    await new Promise((resolve) => setTimeout(resolve, 40))
    t.equal(log.available, false, 'not before the disk is there again')
    world.faults.write = undefined
    world.faults.sync = undefined
    await back(log)
    await log.health()
    await appendEach(log, 4, 5)
    t.match(world.verify(), { ok: true, records: 5 })
    t.same(
      world.ids(),
      [1, 2, 3, 4, 5].map((n) => `record-${n}`),
      'what was refused is not in it',
    )
    t.equal(world.warnings.length, 2, 'said once, and once that it is over')
  })
}

t.test('a sync that hangs fails its batch, and what it does later does not harm the chain', async (t) => {
  const world = await makeLog(t, { syncMs: 3000 })
  const log = await world.open()
  await appendEach(log, 1, 2)
  const gate = Promise.withResolvers<void>()
  world.faults.hang = gate.promise
  t.equal(await codeOf(log.append(recordOf(100))), 'audit_unavailable')
  t.equal(log.available, false)
  world.faults.hang = undefined
  gate.resolve()
  await back(log)
  await appendEach(log, 3, 4)
  await log.close()
  t.match(world.verify(), { ok: true, records: 4 })
  t.same(
    world.ids(),
    [1, 2, 3, 4].map((n) => `record-${n}`),
  )
  t.equal(world.segments().length, 1)
  const again = await world.open()
  await appendEach(again, 5, 5)
  t.match(world.verify(), { ok: true, records: 5 })
})

t.test('a file that is gone or replaced is noticed by the next record', async (t) => {
  const world = await makeLog(t)
  const log = await world.open()
  await appendEach(log, 1, 3)
  const [first = ''] = world.segments()
  renameSync(first, `${first}.away`)
  t.equal(await codeOf(log.append(recordOf(100))), 'audit_unavailable')
  await back(log)
  await appendEach(log, 4, 5)
  t.match(world.verify(), { ok: false, problem: /record 1 is missing/ }, 'the chain says what is missing')
  // What was written to it while it was away was told to nobody.
  const bytes = readFileSync(`${first}.away`, 'utf8')
  writeFileSync(first, bytes.slice(0, bytes.indexOf('\n', bytes.indexOf('"seq":3')) + 1))
  rmSync(`${first}.away`)
  t.match(world.verify(), { ok: true, records: 5 }, 'and is whole when it is back')

  const last = world.segments().at(-1) ?? ''
  const copy = readFileSync(last)
  rmSync(last)
  writeFileSync(last, copy, { mode: 0o600 })
  t.equal(await codeOf(log.append(recordOf(101))), 'audit_unavailable', 'another file of the same name')
  await back(log)
  await appendEach(log, 6, 6)
  t.match(world.verify(), { ok: true, records: 6 })
  appendFileSync(last, 'x'.repeat(5000))
  t.equal(await codeOf(log.append(recordOf(102))), 'audit_unavailable', 'somebody else wrote to it')
  await back(log)
  await appendEach(log, 7, 7)
  t.match(world.verify(), { ok: true, records: 7 })
})

t.test('a file gone from a disk that is full as well', async (t) => {
  const world = await makeLog(t)
  const log = await world.open()
  await appendEach(log, 1, 3)
  const [first = ''] = world.segments()
  renameSync(first, `${first}.away`)
  world.faults.write = Faults.error('ENOSPC')
  t.equal(await codeOf(log.append(recordOf(100))), 'audit_unavailable')
  await until(() => world.segments().some((path) => path.endsWith('4.ndjson')))
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.equal(log.available, false)
  world.faults.write = undefined
  await back(log)
  await appendEach(log, 4, 5)
  t.same(world.ids().slice(-2), ['record-4', 'record-5'])
})

t.test('what a crash leaves of an unfinished record is cut off', async (t) => {
  for (const rest of ['{"seq":4,"id":"record-4","ti', '\u0000'.repeat(5000), `{"seq":4,"id":"x\u0000\u0000"}\n`]) {
    const world = await makeLog(t)
    const log = await world.open()
    await appendEach(log, 1, 3)
    await log.close()
    appendFileSync(world.segments()[0] ?? '', rest)
    const again = await world.open()
    t.match(world.warnings, ['cut'])
    await appendEach(again, 4, 4)
    t.match(world.verify(), { ok: true, records: 4 })
  }
})

t.test('a sink that fails costs checkpoints, not the service', async (t) => {
  const world = await makeLog(t, { checkpointRecords: 2 })
  const log = await world.open()
  await appendEach(log, 1, 2)
  rmSync(world.checkpoints, { force: true })
  await appendEach(log, 3, 4)
  await until(() => existsSync(world.checkpoints) && /"seq":4/.test(readFileSync(world.checkpoints, 'utf8')))
  t.match(world.verify(), { ok: true, records: 4 }, 'a sink that was moved away begins anew')
})

t.test('which records it has', async (t) => {
  const world = await makeLog(t, { segmentBytes: 2000 })
  const log = await world.open()
  await appendEach(log, 1, 40)
  t.ok(world.segments().length > 2)
  const asked = ['record-1', 'record-40', 'record-41', 'request-7']
  t.same(await log.has(asked, 0), new Set(['record-40', 'record-1']))
  for (let n = 1; n <= 40; n++) t.same(await log.has([`record-${n}`], n - 1), new Set([`record-${n}`]), `${n}`)
  t.equal(log.last, 40)
})

t.test('an id that it does not have is looked for only behind the record that was last', async (t) => {
  const world = await makeLog(t, { segmentBytes: 2_000_000 })
  const log = await world.open()
  const batch = 10_000
  for (let n = 0; n < 30_000; n += batch) {
    await Promise.all(Array.from({ length: batch }, (_, at) => log.append(recordOf(n + at + 1))))
  }
  t.ok(world.segments().length > 2)
  const read = async (after: number): Promise<number> => {
    const before = world.faults.bytesRead
    const found = await log.has(['record-29990', 'nobody'], after)
    if (after < 29_990) t.same(found, new Set(['record-29990']))
    return world.faults.bytesRead - before
  }
  t.ok((await read(0)) > 8_000_000, 'the whole log')
  t.ok((await read(29_980)) < 3_000_000, 'its end')
  t.ok((await read(29_995)) < 3_000_000)
})

t.test('closing signs the last record, also while an earlier checkpoint is being written', async (t) => {
  for (let round = 0; round < 10; round++) {
    const world = await makeLog(t, { checkpointRecords: 1 })
    const log = await world.open()
    await appendEach(log, 1, 2)
    await log.close()
    t.match(readFileSync(world.checkpoints, 'utf8').trimEnd().split('\n').at(-1), '"seq":2,')
  }
})
