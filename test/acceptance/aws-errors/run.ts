/** Sends every row of a table by one client, and compares how it ended with what the row says. */
import type { Test } from 'tap'
import { ERROR_SHAPES } from '../../../src/api/aws/gen/errors.ts'
import type { Driver, Ending } from './drivers.ts'
import type { Row, Table } from './table.ts'
import type { World } from './world.ts'

/** Errors that are the service's own doing have a status of their own; all others 400, as recorded. */
const STATUS: Readonly<Record<string, number>> = { DependencyTimeoutException: 503 }
const statusOf = (error: keyof typeof ERROR_SHAPES): number =>
  STATUS[error] ?? (ERROR_SHAPES[error] === 'server' ? 500 : 400)

/** Than botocore's model. */
const NEWER: ReadonlySet<string> = new Set(['Encapsulate', 'Decapsulate'])

export const expected = ({ answers = [], error }: Row): object =>
  error === undefined ? { members: [...answers].sort() } : { error, status: statusOf(error) }

export function told(ending: Ending, row: Row): object {
  if ('members' in ending) return { members: ending.members }
  return 'error' in ending && row.error === ending.error ? { error: ending.error, status: ending.status } : ending
}

export async function runTable(t: Test, table: Table, world: World, driver: Driver): Promise<void> {
  for (const [operation, rows] of Object.entries(table)) {
    await t.test(`${operation} by ${driver.name}`, async (t) => {
      for (const row of rows) {
        const ending = await driver.send(operation, await row.request(world), row.region)
        if ('unknown' in ending) {
          t.notOk(NEWER.has(operation) ? undefined : operation, `${driver.name} is older than ${operation}`)
          return
        }
        t.same(told(ending, row), expected(row), row.name)
      }
    })
  }
}
