/** A token that stops answering and one that is away, for every operation that needs it: the tables of aws-errors/token.ts. */
import { readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { DRIVERS, type Driver } from './aws-errors/drivers.ts'
import { expected, told } from './aws-errors/run.ts'
import type { Table } from './aws-errors/table.ts'
import { AWAY, SILENT } from './aws-errors/token.ts'
import { World } from './aws-errors/world.ts'
import { enforcing } from './aws-tools.ts'

/** A request's own. The module behind the token has far longer, so that its process is not ended for being late. */
const DEADLINE_MS = 3000

/** The process that holds the vendor's module. */
const worker = ({ pid }: RunningTrefoil): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').at(-1))

/** All at once, because each waits for its deadline. */
async function sendAll(t: Test, table: Table, world: World, driver: Driver, begin: () => Promise<void>): Promise<void> {
  const rows = Object.entries(table).flatMap(([operation, rows]) => rows.map((row) => [operation, row] as const))
  const requests = await Promise.all(rows.map(([, row]) => row.request(world)))
  await begin()
  const endings = await Promise.all(rows.map(([operation], index) => driver.send(operation, requests[index] ?? {})))
  for (const [index, [operation, row]] of rows.entries()) {
    const ending = endings[index] ?? { unknown: true }
    t.same(told(ending, row), expected(row), `${operation} by ${driver.name}: ${row.name}`)
  }
}

async function recovered(driver: Driver): Promise<void> {
  for (;;) {
    const ending = await driver.send('GenerateRandom', { NumberOfBytes: 1 })
    if ('members' in ending) return
    await sleep(50)
  }
}

const skip = softHsmMissing ?? (process.platform === 'linux' ? false : 'no tool: /proc')
t.test('keys in a token', { skip }, async (t) => {
  const hsm = await startSoftHsm()
  t.teardown(() => hsm.close())
  const entries = hsm.config.hsm.map((entry) => ({ ...entry, deadlineMs: 100 * DEADLINE_MS }))
  const config = { hsm: entries, defaultBackend: 'pkcs11:soft', limits: { requestTimeoutMs: DEADLINE_MS } }
  const trefoil = await startTrefoil(enforcing({ config, env: hsm.env }))
  const world = new World(trefoil)
  t.teardown(async () => {
    world.close()
    await trefoil.stop()
  })
  const [here, away] = [join(hsm.directory, 'tokens'), join(hsm.directory, 'away')]
  for (const { name, make, missing } of DRIVERS) {
    await t.test(name, { skip: missing ?? false }, async (t) => {
      const driver = make(trefoil.plainUrl)
      t.teardown(() => driver.close())
      await sendAll(t, SILENT, world, driver, async () => void process.kill(worker(trefoil), 'SIGSTOP'))
      process.kill(worker(trefoil), 'SIGCONT')
      await recovered(driver)
      await sendAll(t, AWAY, world, driver, async () => {
        await rename(here, away)
        process.kill(worker(trefoil), 'SIGKILL')
      })
      await rename(away, here)
      await recovered(driver)
    })
  }
})
