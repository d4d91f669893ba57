/** Secrets set under load by a server that is killed: what was acknowledged is there with its value, and a reset empties it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { Random, REPEAT } from '../support/random.ts'
import { killingMoment } from './moment.ts'

const ROUNDS = process.env.TEST_LONG === undefined ? 4 : 100
const WORKERS = 4
const QUERY = '?api-version=2026-04-01'
const headers = { authorization: 'Bearer anything', 'content-type': 'application/json' }

/** Values that were acknowledged by the version's own address. */
type World = Map<string, string>

async function work(world: World, url: string, worker: string, running: () => boolean): Promise<void> {
  for (let i = 0; running(); i++) {
    const value = `${worker}-${i}`
    const init = { method: 'PUT', headers, body: JSON.stringify({ value }) }
    const response = await fetch(`${url}/secrets/s-${i % 3}${QUERY}`, init)
    const { id } = (await response.json()) as { id: string }
    if (response.ok) world.set(new URL(id).pathname, value)
  }
}

t.test(`${ROUNDS} kills while secrets are set, ${REPEAT}`, { timeout: 240_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-crash-secrets-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const dataDir = join(directory, 'data')
  const world: World = new Map()
  const random = new Random()
  for (let round = 0; round < ROUNDS; round++) {
    const server = await startTrefoil({ dataDir })
    let running = true
    // The kill makes the requests in flight fail.
    const workers = Array.from({ length: WORKERS }, (_, at) =>
      work(world, server.plainUrl, `${round}-${at}`, () => running).catch(() => {}),
    )
    await killingMoment(random, { round, acknowledged: () => world.size, mostMs: 350 })
    await server.kill()
    running = false
    await Promise.all(workers)
  }
  t.ok(world.size >= ROUNDS / 2, `${world.size} versions acknowledged`)
  const server = await startTrefoil({ dataDir })
  const wrong: string[] = []
  for (const [path, value] of world) {
    const response = await fetch(`${server.plainUrl}${path}${QUERY}`, { headers })
    const body = (await response.json()) as { value?: string }
    if (body.value !== value) wrong.push(path)
  }
  t.same(wrong, [], 'nothing acknowledged is missing or another')
  t.equal((await fetch(`${server.plainUrl}/_/reset`, { method: 'POST' })).status, 200)
  for (const root of ['secrets', 'deletedsecrets']) {
    const list = await fetch(`${server.plainUrl}/${root}${QUERY}`, { headers })
    t.same(await list.json(), { value: [], nextLink: null }, `${root} after a reset`)
  }
  const again = await fetch(`${server.plainUrl}/secrets/s-0${QUERY}`, { method: 'PUT', headers, body: '{"value":"v"}' })
  t.equal(again.status, 200, 'under the new ring key')
  t.equal(await server.stop(), 0)
})
