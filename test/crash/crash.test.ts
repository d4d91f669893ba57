/**
 * The real server killed at random moments under load, half of the times with a power failure on top (unsynced.c): what
 * was acknowledged is there, nothing half-made is visible, every answer has its audit record, the chain verifies.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { verifyInstallation } from '../../src/main.ts'
import { auditText } from '../support/audit.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { Random, REPEAT } from '../support/random.ts'
import { killingMoment } from './moment.ts'
import { compileShim } from './shim.ts'
import { loseUnsynced } from './undo.ts'

const long = process.env.TEST_LONG !== undefined
const ROUNDS = long ? 500 : 20
const WORKERS = 4
const MAX_LOAD_MS = 300

/** What the test was told of a key. `states`: two while a change of it was asked for and not answered. */
type Known = { readonly id: string; states: Set<string>; alias: string | undefined }
type World = { readonly keys: Known[]; readonly requestIds: string[] }

async function call(world: World, url: string, operation: string, input: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` },
    body: JSON.stringify(input),
  })
  const body = (await response.json()) as Record<string, unknown>
  world.requestIds.push(response.headers.get('x-amzn-requestid') ?? '')
  if (!response.ok) throw new Error(`${operation}: ${JSON.stringify(body)}`)
  return body
}

/** Asks for a change; while it is unanswered, both states are right. */
async function change(world: World, url: string, key: Known, operation: string, state: string): Promise<void> {
  key.states.add(state)
  await call(world, url, operation, { KeyId: key.id })
  key.states = new Set([state])
}

async function work(world: World, url: string, random: Random, running: () => boolean): Promise<void> {
  while (running()) {
    const spec = random.chance(0.5) ? {} : { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }
    const { KeyMetadata } = await call(world, url, 'CreateKey', spec)
    const { KeyId: id } = KeyMetadata as { KeyId: string }
    const key: Known = { id, states: new Set(['Enabled']), alias: undefined }
    world.keys.push(key)
    const alias = `alias/${id}`
    await call(world, url, 'CreateAlias', { AliasName: alias, TargetKeyId: id })
    key.alias = alias
    await change(world, url, key, 'DisableKey', 'Disabled')
    if (random.chance(0.3)) await change(world, url, key, 'ScheduleKeyDeletion', 'PendingDeletion')
    else if (random.chance(0.5)) await change(world, url, key, 'EnableKey', 'Enabled')
  }
}

async function loadUntilKilled(world: World, server: RunningTrefoil, random: Random, round: number): Promise<void> {
  let running = true
  // The kill makes every request in flight fail; what they asked for may or may not have happened.
  const workers = Array.from({ length: WORKERS }, () =>
    work(world, server.plainUrl, random, () => running).catch(() => {}),
  )
  await killingMoment(random, { round, acknowledged: () => world.keys.length, mostMs: MAX_LOAD_MS })
  await server.kill()
  running = false
  await Promise.all(workers)
}

/** @returns what is wrong with what the server says now */
async function faults(world: World, url: string, keys: readonly Known[]): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const { id, states, alias } of keys) {
    try {
      const { KeyMetadata } = await call(world, url, 'DescribeKey', { KeyId: alias ?? id })
      const { KeyState } = KeyMetadata as { KeyState: string }
      if (!states.has(KeyState)) wrong.push(`${id} is ${KeyState}, not ${[...states].join(' or ')}`)
    } catch (error) {
      wrong.push(`${id}: ${String(error)}`)
    }
  }
  return wrong
}

/** Every key that is listed is whole: it is described, and an enabled one works. */
async function halfMade(world: World, url: string): Promise<readonly string[]> {
  const wrong: string[] = []
  let marker: unknown
  do {
    const page = await call(world, url, 'ListKeys', marker === undefined ? {} : { Marker: marker })
    for (const { KeyId } of page.Keys as { KeyId: string }[]) {
      const { KeyMetadata } = await call(world, url, 'DescribeKey', { KeyId })
      const { KeyState, KeySpec } = KeyMetadata as { KeyState: string; KeySpec: string }
      if (KeyState !== 'Enabled') continue
      const use =
        KeySpec === 'SYMMETRIC_DEFAULT'
          ? call(world, url, 'Encrypt', { KeyId, Plaintext: 'AAAA' })
          : call(world, url, 'Sign', { KeyId, Message: 'AAAA', SigningAlgorithm: 'ECDSA_SHA_256' })
      await use.catch((error: unknown) => wrong.push(`${KeyId}: ${String(error)}`))
    }
    marker = page.NextMarker
  } while (marker !== undefined)
  return wrong
}

t.test(`${ROUNDS} kills under load, ${REPEAT}`, { timeout: long ? 7_200_000 : 280_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-crash-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const dataDir = join(directory, 'data')
  const logs = join(directory, 'undo')
  mkdirSync(logs)
  const shim = compileShim(directory, 'unsynced')
  const random = new Random()
  const world: World = { keys: [], requestIds: [] }
  let lost = 0
  let checked = 0
  for (let round = 0; round < ROUNDS; round++) {
    const power = round % 2 === 1
    const env = power ? { LD_PRELOAD: shim, UNSYNCED_ROOT: dataDir, UNSYNCED_LOGS: logs } : {}
    const server = await startTrefoil({ dataDir, env })
    t.same(await faults(world, server.plainUrl, world.keys.slice(checked)), [], `after kill ${round}`)
    checked = world.keys.length
    await loadUntilKilled(world, server, random, round)
    if (power) lost += loseUnsynced(logs)
  }
  t.comment(`${world.keys.length} keys acknowledged, ${lost} unsynced writes lost`)
  t.ok(world.keys.length >= ROUNDS / 2, 'the load was a load')
  const server = await startTrefoil({ dataDir })
  t.same(await faults(world, server.plainUrl, world.keys), [], 'nothing acknowledged is missing')
  t.same(await halfMade(world, server.plainUrl), [], 'nothing half-made is visible')
  t.equal(await server.stop(), 0)
  const verdict = await verifyInstallation(loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } }))
  t.match(verdict, { ok: true }, 'the chain verifies')
  const recorded = new Set(auditText(dataDir).match(/"requestId":"[^"]+"/g))
  const silent = world.requestIds.filter((id) => !recorded.has(`"requestId":"${id}"`))
  t.same(silent, [], 'every answer has its record')
})
