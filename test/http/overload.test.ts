/** What is refused while the event loop is late, by a clock of the test's and by a loop that is. */
import t from 'tap'
import { Overload } from '../../src/api/http/overload.ts'
import { startServer, testSurface } from './support.ts'

function stepped(limitMs: number) {
  let now = 0
  const overload = new Overload(limitMs, () => now)
  overload.start()
  overload.stop()
  return {
    overload,
    /** The loop's turn ends that much later than it should. */
    late(ms: number): void {
      now += 50 + ms
      overload.sample()
    },
    refused: (requests: number): number =>
      Array.from({ length: requests }, () => overload.sheds()).filter(Boolean).length,
  }
}

t.test('one late turn is not load', async (t) => {
  const { overload, late, refused } = stepped(100)
  for (const ms of [0, 5000, 0, 5000, 5000, 0, 90, 90, 90, 90]) {
    late(ms)
    t.equal(refused(100), 0)
  }
  t.equal(overload.shed, 0)
})

t.test('as much is refused as is too much, and nothing once the loop keeps up', async (t) => {
  const { overload, late, refused } = stepped(100)
  for (let turn = 0; turn < 3; turn++) late(200)
  t.equal(refused(100), 50)
  for (let turn = 0; turn < 3; turn++) late(400)
  t.equal(refused(100), 75)
  t.equal(overload.shed, 125)
  late(0)
  t.equal(refused(100), 0)
})

t.test('a server that cannot keep up says so, in the dialect’s words, and is healthy', async (t) => {
  const busy = testSurface('aws', (app) => {
    app.get('/@aws/Busy', async () => {
      const until = performance.now() + 20
      while (performance.now() < until);
      return {}
    })
  })
  const { plain } = await startServer(t, { surfaces: [busy], env: { TREFOIL_LIMITS_LOOP_DELAY_MS: '10' } })
  const headers = { 'x-test-target': 'Busy' }
  let refused = 0
  let healthy = 0
  const worker = async (): Promise<void> => {
    while (refused < 10) {
      const response = await fetch(`${plain.url}/`, { headers })
      if (response.status === 418 && (await response.text()).includes('throttled')) refused += 1
      if (refused === 5 && (await fetch(`${plain.url}/_/health/live`)).status === 200) healthy += 1
    }
  }
  await Promise.all(Array.from({ length: 20 }, worker))
  t.ok(refused >= 10)
  t.ok(healthy > 0, 'health is not shed')
  let status = 0
  while (status !== 200) status = (await fetch(`${plain.url}/`, { headers })).status
  t.equal(status, 200, 'alone again')
})
