/** Token buckets, and whose they are. */
import t from 'tap'
import { KmsError } from '../../src/core/error.ts'
import type { Call } from '../../src/core/operation.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { generateRandom } from '../../src/core/ops/generate-random.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { CallerQuotas } from '../../src/core/quotas.ts'
import { TokenBuckets } from '../../src/core/token-buckets.ts'

t.test('a bucket holds a second’s worth, refills with time, and says how long it takes', async (t) => {
  const buckets = new TokenBuckets()
  const take = (now: number, rate = 2) => buckets.take('a', rate, now)
  t.same([take(0), take(0), take(0)], [0, 0, 500])
  t.equal(take(250), 250, 'refusals take nothing')
  t.equal(take(500), 0)
  t.equal(take(0), 500, 'a clock that was set back refills nothing')
  t.equal(buckets.take('b', 0.5, 0), 0, 'one at least')
  t.equal(buckets.take('b', 0.5, 0), 2000)
})

const call = (dialect: Call['dialect'], id: string, arn?: string): Call =>
  ({ dialect, principal: { id, method: 'none', ...(arn && { aws: { arn } }) } }) as unknown as Call

t.test('planes apart, callers apart, and an operation of its own besides', async (t) => {
  const quotas = new CallerQuotas({ data: 1, control: 2, operations: { Encrypt: 1 } })
  const ask = (operation: Parameters<CallerQuotas['admit']>[0], who: Call, now = 0): string => {
    try {
      quotas.admit(operation, who, now)
      return 'ok'
    } catch (error) {
      const { code, params } = KmsError.from(error)
      return `${code} ${params.quota} ${params.retryAfterMs}`
    }
  }
  const ann = call('aws', 'sigv4:1', 'arn:aws:iam::000000000000:user/ann')
  const annAgain = call('aws', 'sigv4:2', 'arn:aws:iam::000000000000:user/ann')
  t.equal(ask(generateRandom, ann), 'ok')
  t.equal(ask(generateRandom, annAgain), 'throttled data 1000', 'two access keys, one caller')
  t.same([ask(getKey, ann), ask(getKey, ann), ask(getKey, ann)], ['ok', 'ok', 'throttled control 500'])
  t.equal(ask(generateRandom, call('aws', 'sigv4:3')), 'ok')
  t.equal(ask(generateRandom, call('gcp', 'sigv4:3')), 'ok', 'another cloud, another caller')
  const bob = call('gcp', 'bearer:bob')
  t.same([ask(encrypt, bob), ask(encrypt, bob, 500)], ['ok', 'throttled Encrypt 500'])
  t.equal(quotas.refused, 3)
  for (let asked = 0; asked < 9; asked++) t.equal(ask(getKey, call('system', 'system:clock')), 'ok')
})
