/** Whatever is done to a log's files, its verifier names the first record that is not as it was written. */
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { encodeCheckpoint } from '../../src/audit/format.ts'
import { Random, REPEAT } from '../support/random.ts'
import { appendEach, type LogWorld, makeLog, recordOf } from './support.ts'

const COUNT = 30

/** Thirty records in three files, closed, so that a checkpoint stands for the last. */
async function written(t: Test): Promise<LogWorld> {
  const world = await makeLog(t, { segmentBytes: 4000, checkpointRecords: 7 })
  const log = await world.open()
  await appendEach(log, 1, COUNT)
  await log.close()
  // One is being written while the next falls due: how many there are depends on the disk.
  t.match(world.verify(), { ok: true, records: COUNT })
  t.match(readFileSync(world.checkpoints, 'utf8').trimEnd().split('\n').at(-1), `"seq":${COUNT},`, 'the last is signed')
  t.ok(world.segments().length >= 3, 'several files')
  return world
}

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)
const writeLines = (path: string, lines: readonly string[]): void => writeFileSync(path, `${lines.join('\n')}\n`)
const seqOf = (line: string | undefined): number => Number(/"seq":(\d+)/.exec(line ?? '')?.[1])

/** Does something to the lines of a file; @returns what the verifier says then, and puts the file back */
function after(world: LogWorld, path: string, change: (lines: string[]) => readonly string[]): string {
  const before = readFileSync(path)
  writeLines(path, change(linesOf(path)))
  const verdict = world.verify()
  writeFileSync(path, before)
  return verdict.ok ? 'ok' : verdict.problem
}

t.test('a flipped bit anywhere', async (t) => {
  const world = await written(t)
  t.comment(REPEAT)
  const random = new Random()
  for (const path of world.segments()) {
    const bytes = readFileSync(path)
    for (let round = 0; round < 120; round++) {
      const at = random.between(0, bytes.length - 1)
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.between(0, 7))
      writeFileSync(path, flipped)
      // A newline gone joins two records, one more cuts a record in two: the first of them is named in each case.
      const start = at === 0 ? 0 : bytes.lastIndexOf(10, at - 1) + 1
      const seq = seqOf(bytes.toString('latin1', start))
      const verdict = world.verify()
      const problem = verdict.ok ? 'ok' : verdict.problem
      // A flip in its number makes it another record, in the place of this one.
      if (!new RegExp(`\\brecord ${seq}\\b|follows record ${seq - 1}\\b`).test(problem)) {
        t.fail(`${REPEAT}: byte ${at} of ${path} (record ${seq}): ${problem}`)
      }
    }
    writeFileSync(path, bytes)
  }
  t.match(world.verify(), { ok: true }, 'every file as it was')
})

t.test('records deleted, inserted, repeated, exchanged and cut off', async (t) => {
  const world = await written(t)
  for (const path of world.segments()) {
    const lines = linesOf(path)
    const first = seqOf(lines[0])
    for (let at = 0; at < lines.length; at++) {
      const seq = first + at
      const next = seq === COUNT ? /cut short/ : new RegExp(`record ${seq} is missing`)
      t.match(
        after(world, path, (all) => all.toSpliced(at, 1)),
        next,
        `without record ${seq}`,
      )
      t.match(
        after(world, path, (all) => all.toSpliced(at, 0, all[at] ?? '')),
        `record ${seq} in ${path}`,
        `record ${seq} twice`,
      )
      const forged = (lines[at] ?? '').replace('"ok"', '"no"')
      t.match(
        after(world, path, (all) => all.with(at, forged)),
        new RegExp(`^record ${seq} in .* was changed`),
        `record ${seq} forged`,
      )
      if (at + 1 < lines.length) {
        t.match(
          after(world, path, (all) => all.with(at, all[at + 1] ?? '').with(at + 1, all[at] ?? '')),
          `record ${seq} is missing`,
          `records ${seq} and ${seq + 1} exchanged`,
        )
      }
      t.match(
        after(world, path, (all) => all.slice(0, at + 1)),
        seq === first + lines.length - 1 ? 'ok' : `record ${seq + 1} is missing`,
      )
    }
  }
})

t.test('a record cut in its middle', async (t) => {
  const world = await written(t)
  for (const path of world.segments()) {
    const bytes = readFileSync(path)
    const last = seqOf(linesOf(path).at(-1))
    for (const less of [1, 20, 200]) {
      writeFileSync(path, bytes.subarray(0, bytes.length - less))
      t.match(world.verify(), { ok: false, problem: new RegExp(`record ${last} (in .* is damaged|is missing)`) })
    }
    writeFileSync(path, bytes)
  }
})

t.test('whole files gone, exchanged and invented', async (t) => {
  const world = await written(t)
  const saved = join(world.root, 'saved')
  cpSync(world.directory, saved, { recursive: true })
  const restore = (): void => {
    rmSync(world.directory, { recursive: true, force: true })
    cpSync(saved, world.directory, { recursive: true })
  }
  for (const path of world.segments()) {
    const first = seqOf(linesOf(path)[0])
    rmSync(path)
    t.match(world.verify(), { ok: false, problem: `record ${first} is missing` }, `without ${path}`)
    restore()
  }
  const [one = '', two = ''] = world.segments()
  const second = seqOf(linesOf(two)[0])
  renameSync(one, `${one}.away`)
  renameSync(two, one)
  renameSync(`${one}.away`, two)
  t.match(world.verify(), { ok: false, problem: 'record 1 is missing' }, 'two files exchanged')
  restore()
  writeFileSync(two, readFileSync(one))
  t.match(world.verify(), { ok: false, problem: /record 1 in .* out of its order/ }, 'a file twice')
  restore()
  writeFileSync(join(world.directory, `${String(second + 1).padStart(16, '0')}.ndjson`), readFileSync(two))
  t.match(world.verify(), { ok: false }, 'one file more')
  restore()
  rmSync(world.directory, { recursive: true })
  t.match(world.verify(), { ok: false, problem: /record 1 is missing: the log was cut short/ }, 'no file at all')
  await t.rejects(world.open(), { message: 'is missing, though record' }, 'and none is begun in its place')
  restore()
  t.match(world.verify(), { ok: true })
})

t.test('a log that its own key wrote anew', async (t) => {
  const world = await written(t)
  // Whoever has the key can write a chain that is sound; the checkpoints are of the one that was there.
  const other = await makeLog(t, { segmentBytes: 4000 })
  const checkpoints = readFileSync(world.checkpoints)
  rmSync(world.directory, { recursive: true })
  rmSync(world.checkpoints)
  const log = await world.open()
  for (let n = 1; n <= COUNT; n++) await log.append({ ...recordOf(n), outcome: 'access_denied' })
  await log.close()
  t.match(world.verify(), { ok: true }, 'without the checkpoints nobody can tell')
  writeFileSync(world.checkpoints, checkpoints)
  t.match(world.verify(), { ok: false, problem: 'record 7 is not the one that was signed: the log was written anew' })
  await t.rejects(world.open(), { message: 'is not the one that was signed' }, 'nor does a server go on with it')
  t.match(other.verify(), { ok: true, records: 0 })
})

t.test('checkpoints flipped, forged, exchanged, repeated and deleted', async (t) => {
  const world = await written(t)
  const path = world.checkpoints
  const lines = linesOf(path)
  t.same([seqOf(lines[0]), seqOf(lines.at(-1))], [7, 30])
  const bytes = readFileSync(path)
  for (let at = 0; at < bytes.length - 1; at += 7) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    writeFileSync(path, flipped)
    const verdict = world.verify()
    if (verdict.ok) t.fail(`byte ${at} of the checkpoints`)
  }
  writeFileSync(path, bytes)
  const { privateKey } = generateKeyPairSync('ed25519')
  const forged = encodeCheckpoint(privateKey, { seq: 31, mac: 'A'.repeat(43), time: 1 }).trimEnd()
  t.match(
    after(world, path, (all) => [...all, forged]),
    'is not signed by this installation',
  )
  t.match(
    after(world, path, (all) => all.toReversed()),
    'out of its order',
  )
  t.match(
    after(world, path, (all) => [...all, all.at(-1) ?? '']),
    'out of its order: it follows that of record 30',
  )
  t.equal(
    after(world, path, (all) => all.toSpliced(1, 1)),
    'ok',
    'each stands for itself: one less detects less',
  )
  writeLines(path, lines.toReversed())
  await t.rejects(world.open(), { message: 'this installation did not write' })
})
