/** How every operation ends, by the clients that AWS gives its users: the tables of aws-errors/, sent to the real process. */
import t from 'tap'
import { ABSENT_ERRORS } from '../../src/api/aws/absent-errors.ts'
import type { ErrorShape } from '../../src/api/aws/gen/errors.ts'
import { OPERATIONS, type OperationName } from '../../src/api/aws/gen/operations.ts'
import { startTrefoil } from '../support/process.ts'
import { DRIVERS } from './aws-errors/drivers.ts'
import { KEY_TABLES, LONG } from './aws-errors/keys.ts'
import { runPages } from './aws-errors/pages.ts'
import { runTable } from './aws-errors/run.ts'
import { awayTable, type Places, storeTable } from './aws-errors/stores.ts'
import type { Row, Table } from './aws-errors/table.ts'
import { AWAY, SILENT } from './aws-errors/token.ts'
import { USES } from './aws-errors/uses.ts'
import { World } from './aws-errors/world.ts'
import { enforcing } from './aws-tools.ts'

/** Tables of the other files need places that only they know; their rows don't until they are asked. */
const PLACES: Places = { config: {}, env: {}, anchor: '' }
const EVERY: readonly Table[] = [USES, ...KEY_TABLES, LONG, SILENT, AWAY, storeTable(PLACES), awayTable(PLACES)]
const rowsOf = (operation: OperationName): readonly Row[] => EVERY.flatMap((table) => table[operation] ?? [])

t.test('every operation succeeds and ends with every error of its model, or it is said why not', async (t) => {
  for (const operation of Object.keys(OPERATIONS) as readonly OperationName[]) {
    const modelled: readonly ErrorShape[] = OPERATIONS[operation].errors
    const provoked = new Set(rowsOf(operation).flatMap(({ error }) => error ?? []))
    const absent = new Set(
      ABSENT_ERRORS.filter(({ operations }) => operations.includes(operation)).map(({ error }) => error),
    )
    t.ok(
      rowsOf(operation).some(({ error }) => error === undefined),
      `${operation} succeeds`,
    )
    t.same(
      modelled.filter((error) => !provoked.has(error) && !absent.has(error)),
      [],
      `${operation}: neither provoked nor listed`,
    )
    t.same(
      [...absent].filter((error) => provoked.has(error) || !modelled.includes(error)),
      [],
      `${operation}: listed, and provoked or none of its model`,
    )
    t.same(
      [...provoked].filter((error) => !modelled.includes(error)),
      [],
      `${operation}: none of its model`,
    )
  }
})

t.test('operations on keys', async (t) => {
  const trefoil = await startTrefoil(enforcing())
  const world = new World(trefoil)
  t.teardown(async () => {
    world.close()
    await trefoil.stop()
  })
  for (const { name, make, missing } of DRIVERS) {
    await t.test(name, { skip: missing ?? false }, async (t) => {
      const driver = make(trefoil.plainUrl)
      t.teardown(() => driver.close())
      const long = process.env.TEST_LONG === undefined ? [] : [LONG]
      for (const table of [USES, ...KEY_TABLES, ...long]) await runTable(t, table, world, driver)
      await runPages(t, world, driver)
    })
  }
})
