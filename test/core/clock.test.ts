/** Clocks: what is scheduled fires once, in order, when its time has come, however that comes. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { SettableClock, SystemClock } from '../../src/core/clock.ts'

const HOUR = 3_600_000

t.test('the system clock fires in order, once, and not what was cancelled', async (t) => {
  const clock = new SystemClock()
  t.teardown(() => clock.close())
  const fired: string[] = []
  const now = clock.now()
  clock.schedule(now + 60, () => fired.push('second'))
  clock.schedule(now + 20, () => fired.push('first'))
  clock.schedule(now + 40, () => fired.push('cancelled'))()
  clock.schedule(now - 1000, () => fired.push('overdue'))
  clock.schedule(now + 2 ** 40, () => fired.push('in 34 years'))
  t.same(fired, [], 'nothing fires inside schedule')
  while (fired.length < 3) await sleep(5)
  t.same(fired, ['overdue', 'first', 'second'])
  clock.schedule(clock.now() + 10, () => fired.push('closed'))
  clock.close()
  await sleep(40)
  t.equal(fired.length, 3)
})

t.test('a settable clock fires what fell due before the change returns', async (t) => {
  const clock = new SettableClock()
  t.teardown(() => clock.close())
  const fired: number[] = []
  clock.freeze()
  const start = clock.now()
  for (const hours of [3, 1, 2, 30]) clock.schedule(start + hours * HOUR, () => fired.push(hours))
  // Fired while firing, and due as well.
  clock.schedule(start + HOUR, () => clock.schedule(start + 90 * 60_000, () => fired.push(1.5)))
  clock.advance(HOUR - 1)
  t.same(fired, [])
  clock.advance(2 * HOUR + 1)
  t.same(fired, [1, 1.5, 2, 3])
  clock.set(start)
  t.same(fired, [1, 1.5, 2, 3], 'going back fires nothing again')
  t.same(clock.state(), { now: start, frozen: true })
  clock.set(start + 100 * HOUR)
  t.same(fired, [1, 1.5, 2, 3, 30])
})

t.test('frozen, running, reset', async (t) => {
  const clock = new SettableClock()
  t.teardown(() => clock.close())
  let fired = 0
  clock.set(0)
  clock.freeze()
  const frozen = clock.now()
  clock.schedule(frozen + 30, () => fired++)
  await sleep(80)
  t.equal(clock.now(), frozen)
  t.equal(fired, 0, 'time stands still')
  const resumed = Date.now()
  clock.resume()
  const ran = clock.now() - frozen
  t.ok(ran >= 0 && ran <= Date.now() - resumed + 1, `it runs on from where it stood: ${ran} ms`)
  while (fired === 0) await sleep(5)
  await sleep(80)
  t.equal(fired, 1)
  clock.resume()
  const before = Date.now()
  clock.reset()
  const now = clock.now()
  t.ok(before <= now && now <= Date.now(), 'the time of day')
  t.equal(clock.state().frozen, false)
})
