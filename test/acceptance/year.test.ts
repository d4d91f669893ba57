/** A year of a thousand keys by the clock, in the real server: what falls due happens on its day, and the chain holds it all. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { verifyInstallation } from '../../src/main.ts'
import { startTrefoil } from '../support/process.ts'

const KEYS = 1000
const AT_ONCE = 32
const PERIOD_DAYS = 90
/** Of every ten keys, this many are deleted after their first month. */
const DELETED_OF_TEN = 3

t.test(`${KEYS} keys`, { timeout: 240_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-year-'))
  const dataDir = join(directory, 'data')
  const server = await startTrefoil({ dataDir, env: { TREFOIL_LOG_LEVEL: 'error' } })
  t.teardown(async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const aws = async <T>(operation: string, input: unknown): Promise<T> => {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
    const response = await fetch(server.plainUrl, { method: 'POST', headers, body: JSON.stringify(input) })
    const body = (await response.text()) || '{}'
    if (!response.ok) throw new Error(`${operation}: ${body}`)
    return JSON.parse(body) as T
  }
  const clock = async (change: unknown): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${server.plainUrl}/_/clock`, {
      method: 'POST',
      headers,
      body: JSON.stringify(change),
    })
    if (!response.ok) throw new Error(await response.text())
  }
  const ids: string[] = []
  const makeKeys = async (): Promise<void> => {
    while (ids.length < KEYS) {
      const place = ids.push('') - 1
      const { KeyMetadata } = await aws<{ KeyMetadata: { KeyId: string } }>('CreateKey', {})
      ids[place] = KeyMetadata.KeyId
      await aws('EnableKeyRotation', { KeyId: KeyMetadata.KeyId, RotationPeriodInDays: PERIOD_DAYS })
      if (place % 10 < DELETED_OF_TEN) {
        await aws('ScheduleKeyDeletion', { KeyId: KeyMetadata.KeyId, PendingWindowInDays: 7 + (place % 24) })
      }
    }
  }
  await clock({ frozen: true })
  await Promise.all(Array.from({ length: AT_ONCE }, makeKeys))
  const started = performance.now()
  // The last rotation of the year is due on day 360.
  for (let day = 0; day < 365; day += 5) await clock({ advance: '5d' })
  t.comment(`a year of ${KEYS} keys took ${((performance.now() - started) / 1000).toFixed(1)} s`)

  const kept = ids.filter((_, place) => place % 10 >= DELETED_OF_TEN)
  const sample = kept.filter((_, place) => place % 20 === 0)
  for (const KeyId of sample) {
    const { Rotations } = await aws<{ Rotations: unknown[] }>('ListKeyRotations', { KeyId })
    t.equal(Rotations.length, 4, 'four quarters')
  }
  const listed: string[] = []
  let Marker: string | undefined
  do {
    const page = await aws<{ Keys: { KeyId: string }[]; NextMarker?: string }>('ListKeys', { Limit: 1000, Marker })
    listed.push(...page.Keys.map(({ KeyId }) => KeyId))
    Marker = page.NextMarker
  } while (Marker !== undefined)
  t.same(listed.sort(), kept.toSorted(), 'the deleted are gone, the others are there')
  t.equal(await server.stop(), 0)
  const verdict = await verifyInstallation(loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } }))
  t.match(verdict, { ok: true })
  const made = KEYS * 2 + KEYS * (DELETED_OF_TEN / 10)
  const due = kept.length * 4 + (KEYS - kept.length)
  if (verdict.ok) t.ok(verdict.records >= made + due, `${verdict.records} records`)
})
