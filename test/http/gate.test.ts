/** What is refused before it is late, and what is answered when it is. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Gate, Turns } from '../../src/api/http/gate.ts'

const never = new Promise<never>(() => {})
t.test('an answer in time is passed on', async (t) => {
  const gate = new Gate(10_000, undefined, { waited: () => 0 })
  const admitted = gate.enter()
  t.equal(await admitted.inTime(Promise.resolve('x')), 'x')
  await t.rejects(admitted.inTime(Promise.reject(new Error('its own'))), /its own/)
  t.notOk(admitted.signal.aborted)
  admitted.leave()
  gate.close()
})

t.test('a late one is not waited for', async (t) => {
  const gate = new Gate(50, undefined, { waited: () => 0 })
  const [first, second] = [gate.enter(), gate.enter()]
  const late = [first, second].map((one) => t.rejects(one.inTime(never), { code: 'backend_timeout' }))
  // The gate's own timers keep no process alive.
  while (!first.signal.aborted) await sleep(10)
  await Promise.all(late)
  t.equal(first.signal.reason.code, 'backend_timeout')
  t.equal(await gate.enter().inTime(Promise.resolve('x')), 'x', 'and the next one is served')
  gate.close()
})

t.test('a queue that has become too long lets nobody in until it is shorter', async (t) => {
  let now = 0
  const gate = new Gate(200, () => now, { waited: () => 0 })
  const inside = Array.from({ length: 64 }, () => gate.enter())
  now = 100
  t.doesNotThrow(() => gate.enter().leave(), 'half of the time is left')
  now = 101
  t.throws(() => gate.enter(), { code: 'throttled' })
  inside[0]?.leave()
  t.doesNotThrow(() => gate.enter().leave(), 'few are in flight: it is not the queue')
  for (const { leave } of inside) leave()
  gate.close()
})

t.test('what waited in its socket counts', async (t) => {
  let now = 0
  const ends: (() => void)[] = []
  const endTurn = (): void => {
    for (const end of ends.splice(0)) end()
  }
  const turns = new Turns(
    () => now,
    (run) => void ends.push(run),
  )
  const gate = new Gate(100, () => now, turns)
  const enters = (): boolean => {
    try {
      gate.enter().leave()
      return true
    } catch (error) {
      t.match(error, { code: 'throttled' })
      return false
    }
  }
  t.ok(enters())
  now = 50
  t.ok(enters(), 'later in the turn, and not too late')
  now = 51
  t.notOk(enters())
  endTurn()
  t.notOk(enters(), 'found in the next turn, it may have come at the beginning of the long one')
  endTurn()
  t.ok(enters(), 'that one was short')
  endTurn()
  now = 151
  t.ok(enters(), 'nothing was there for a while')
  gate.close()
})
