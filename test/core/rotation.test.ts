/** Rotation by the clock and on demand, as the core sees it: one policy a key, two ways to count. */
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { listVersions } from '../../src/core/ops/list-versions.ts'
import { rotateKey } from '../../src/core/ops/rotate-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { disableKey, enableKey } from '../../src/core/ops/set-key-enabled.ts'
import { setRotation } from '../../src/core/ops/set-rotation.ts'
import type { KeyReference } from '../../src/core/reference.ts'
import { addDuration, days } from '../../src/core/rotation.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const DAY = 86_400_000
const ring = { by: 'default' } as const
const monthly = { rotate: { from: 'creation', duration: days(30) }, anchor: 'schedule' } as const

async function newKey({ run }: TestKernel, spec: 'aes_256' | 'rsa_2048' = 'aes_256'): Promise<KeyReference> {
  const { key } = await run('aws', createKey, { ring, spec })
  return { by: 'id', id: key.id }
}
const versionsOf = async ({ run }: TestKernel, key: KeyReference) =>
  (await run('gcp', listVersions, { key, limit: 100 })).versions

t.test('calendar arithmetic', async (t) => {
  const at = Date.UTC(2026, 0, 31, 12)
  t.equal(addDuration(at, { months: 1, ms: 0 }), Date.UTC(2026, 1, 28, 12), 'a day that February lacks')
  t.equal(addDuration(at, { months: 12, ms: DAY }), Date.UTC(2027, 1, 1, 12))
  t.equal(addDuration(Date.UTC(2028, 1, 29), { months: 12, ms: 0 }, -1), Date.UTC(2027, 1, 28))
  t.equal(addDuration(Date.UTC(2026, 2, 31), { months: 1, ms: DAY }, -1), Date.UTC(2026, 1, 27))
})

t.test('a schedule keeps its dates, whatever else makes versions', async (t) => {
  const k = await makeKernel()
  const key = await newKey(k)
  const start = k.clock.now()
  await k.run('aws', setRotation, { key, kind: 'symmetric', policy: monthly })
  const { ciphertext } = await k.run('aws', encrypt, { key, algorithm: 'envelope', plaintext: Buffer.from('old') })
  await k.advance(10 * DAY)
  await k.run('aws', rotateKey, { key, kind: 'symmetric' })
  t.same(
    (await versionsOf(k, key)).map(({ rotation }) => rotation),
    [undefined, 'on_demand'],
  )
  await k.advance(20 * DAY)
  t.same(
    (await versionsOf(k, key)).map(({ rotation }) => rotation),
    [undefined, 'on_demand', 'automatic'],
  )
  const { key: row, current } = await k.run('aws', getKey, { key })
  t.match(row, { current: 3, nextRotationAt: start + 60 * DAY, rotationsOnDemand: 1 })
  t.equal(current?.number, 3)
  t.same(
    Buffer.from((await k.run('aws', decrypt, { algorithm: 'envelope', ciphertext })).plaintext),
    Buffer.from('old'),
  )
  await k.advance(400 * DAY)
  t.equal((await versionsOf(k, key)).length, 4, 'dates that were slept through are not made up for')
  t.equal((await k.run('aws', getKey, { key })).key.nextRotationAt, start + 450 * DAY)
  t.same(k.failures, [])
})

t.test('a policy that counts from versions follows them, and ends them', async (t) => {
  const k = await makeKernel()
  const key = await newKey(k, 'rsa_2048')
  const policy = {
    rotate: { from: 'expiry', duration: days(30) },
    lifetime: { months: 12, ms: 0 },
    anchor: 'version',
  } as const
  await k.run('azure', setRotation, { key, kind: 'any', policy })
  t.equal((await k.run('azure', getKey, { key })).key.nextRotationAt, undefined, 'the first version never expires')
  const { version } = await k.run('azure', rotateKey, { key, kind: 'any' })
  const end = addDuration(k.clock.now(), policy.lifetime)
  t.equal(version.expiresAt, end)
  t.equal((await k.run('azure', getKey, { key })).key.nextRotationAt, end - 30 * DAY)
  await k.advance(end - 30 * DAY - k.clock.now())
  t.equal((await versionsOf(k, key)).length, 3)
})

t.test('a disabled key waits, a deleted one stops, an unfit one is refused', async (t) => {
  const k = await makeKernel()
  const key = await newKey(k)
  await k.run('aws', setRotation, { key, kind: 'symmetric', policy: monthly })
  await k.run('aws', disableKey, { key })
  t.equal(await k.code(k.run('aws', setRotation, { key, kind: 'symmetric', enabledOnly: true })), 'key_disabled')
  await k.advance(31 * DAY)
  t.equal((await versionsOf(k, key)).length, 1)
  await k.run('aws', enableKey, { key })
  await k.due.settle()
  t.equal((await versionsOf(k, key)).length, 2, 'what was missed is done when it is enabled')
  await k.run('aws', scheduleDeletion, { key, delay: 90 * DAY })
  await k.advance(31 * DAY)
  t.equal((await versionsOf(k, key)).length, 2)
  t.equal(await k.code(k.run('aws', setRotation, { key, kind: 'symmetric' })), 'key_pending_deletion')
  const rsa = await newKey(k, 'rsa_2048')
  t.equal(
    await k.code(k.run('aws', setRotation, { key: rsa, kind: 'symmetric', policy: monthly })),
    'unsupported_operation',
  )
  t.equal(await k.code(k.run('aws', rotateKey, { key: rsa, kind: 'symmetric' })), 'unsupported_operation')
  const other = await newKey(k)
  for (let n = 0; n < 3; n++) await k.run('aws', rotateKey, { key: other, kind: 'symmetric', limit: 3 })
  t.equal(await k.code(k.run('aws', rotateKey, { key: other, kind: 'symmetric', limit: 3 })), 'limit_exceeded')
})

t.test('setting a policy replaces the one before, and none ends it', async (t) => {
  const k = await makeKernel()
  const key = await newKey(k)
  const firstAt = k.clock.now() + 7 * DAY
  await k.run('gcp', setRotation, { key, kind: 'symmetric', policy: monthly, firstAt })
  await k.run('aws', setRotation, { key, kind: 'symmetric' })
  await k.advance(100 * DAY)
  t.equal((await versionsOf(k, key)).length, 1)
  await k.run('gcp', setRotation, { key, kind: 'symmetric', policy: monthly, firstAt: k.clock.now() + DAY })
  await k.advance(2 * DAY)
  t.equal((await versionsOf(k, key)).length, 2)
})
