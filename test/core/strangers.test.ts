/** Callers who could not be verified, in the audit log: there, and not as often as they like. */
import t from 'tap'
import { Strangers } from '../../src/core/strangers.ts'
import { ManualClock, MemoryAudit } from '../support/kernel.ts'

const call = (requestId: string) =>
  ({
    dialect: 'system',
    spoken: 'aws',
    wire: 'Decrypt',
    principal: { id: 'sigv4:AKIAGUESSED', method: 'sigv4' },
    realm: { dialect: 'system', realmId: 'home' },
    signal: new AbortController().signal,
    requestId,
    address: '192.0.2.7',
  }) as const

t.test('a flood leaves a trace and no more', async (t) => {
  const [audit, clock] = [new MemoryAudit(), new ManualClock()]
  const strangers = new Strangers(audit, clock)
  for (let index = 0; index < 1000; index++) {
    clock.time += 10
    await strangers.record(call(`first-${index}`))
  }
  t.equal(audit.records.length, 60)
  t.match(audit.records[0], {
    dialect: 'aws',
    wire: 'Decrypt',
    operation: 'Authenticate',
    principal: 'sigv4:AKIAGUESSED',
    address: '192.0.2.7',
    decision: 'deny',
    outcome: 'unauthenticated',
    leftOut: undefined,
  })
  clock.time += 600_000
  await strangers.record(call('second'))
  t.match(audit.records.at(-1), { requestId: 'second', leftOut: 940 })
  await strangers.record(call('third'))
  t.equal(audit.records.at(-1)?.leftOut, undefined)
  clock.time -= 86_400_000
  await strangers.record(call('a clock that was set back'))
  t.equal(audit.records.length, 63)
})
