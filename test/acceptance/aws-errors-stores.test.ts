/** How the operations on custom key stores end: the table of aws-errors/stores.ts, sent to the real process. */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { startProxy } from '../support/xks-proxy.ts'
import { DRIVERS } from './aws-errors/drivers.ts'
import { runTable } from './aws-errors/run.ts'
import { awayTable, placesOf, storeTable } from './aws-errors/stores.ts'
import { World } from './aws-errors/world.ts'
import { enforcing } from './aws-tools.ts'

t.test('custom key stores', { skip: softHsmMissing ?? false }, async (t) => {
  const proxy = await startProxy(t)
  const hsm = await startSoftHsm()
  t.teardown(() => hsm.close())
  const places = await placesOf(hsm, proxy)
  const trefoil = await startTrefoil(enforcing(places))
  const world = new World(trefoil, proxy)
  t.teardown(async () => {
    world.close()
    await trefoil.stop()
  })
  for (const { name, make, missing } of DRIVERS) {
    await t.test(name, { skip: missing ?? false }, async (t) => {
      const driver = make(trefoil.plainUrl)
      t.teardown(() => driver.close())
      await runTable(t, storeTable(places), world, driver)
    })
  }
  await rename(join(hsm.directory, 'tokens'), join(hsm.directory, 'away'))
  for (const { name, make, missing } of DRIVERS) {
    await t.test(`${name}, the token away`, { skip: missing ?? false }, async (t) => {
      const driver = make(trefoil.plainUrl)
      t.teardown(() => driver.close())
      await runTable(t, awayTable(places), world, driver)
    })
  }
})
