/**
 * Random sequences of operations against a reference model: whatever was done before, each answer is the model's, refusals
 * word by word. TREFOIL_TEST_SEED repeats a run, TEST_LONG makes it a long one.
 */
import t from 'tap'
import { Random, seedOf } from '../support/random.ts'
import { ACTIONS, checkEverything } from './model-actions.ts'
import type { Sequence } from './model-ask.ts'
import { Model } from './reference-model.ts'
import { makeAws } from './support.ts'

const STEPS = process.env.TEST_LONG === undefined ? 1_000 : 10_000
const CHECK_EVERY = 60
/** Steps shown before the one that failed. */
const SHOWN = 25

const seed = seedOf(process.env.TREFOIL_TEST_SEED)
const urn = ACTIONS.flatMap(([weight, action]) => Array.from({ length: weight }, () => action))

t.test(`${STEPS} steps, seed ${seed}`, { timeout: 600_000 }, async (t) => {
  t.comment(`TREFOIL_TEST_SEED=${seed} repeats it`)
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const sequence: Sequence = { aws, model: new Model(aws.clock.now()), random: new Random(seed), log: [] }
  for (let step = 1; step <= STEPS; step++) {
    try {
      await sequence.random.pick(urn)(sequence)
      if (step % CHECK_EVERY === 0) await checkEverything(sequence)
    } catch (error) {
      t.fail(`seed ${seed}, step ${step}: ${String(error)}\n${sequence.log.slice(-SHOWN).join('\n')}`)
      return
    }
  }
  await checkEverything(sequence)
  t.same(aws.failures, [], 'what fell due was done')
  t.comment(`${sequence.model.purged.length} keys came and went`)
  if (process.env.TEST_LONG !== undefined) t.ok(sequence.model.purged.length > 0, 'keys came and went')
  const bad = aws.audit.records.filter(({ outcome }) => outcome === 'internal')
  t.same(bad, [], 'no internal error')
})
