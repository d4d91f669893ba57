/**
 * Random sequences of operations against a reference model: whatever was done before, each answer is the model's.
 * TREFOIL_TEST_SEED repeats a run, TEST_LONG makes it a long one.
 */
import t from 'tap'
import { Random, seedOf } from '../support/random.ts'
import { checkEverything, type Sequence, step } from './model-actions.ts'
import { Model } from './reference-model.ts'
import { makeAzure } from './support.ts'

const STEPS = process.env.TEST_LONG === undefined ? 800 : 10_000
const CHECK_EVERY = 40
/** Steps shown before the one that failed. */
const SHOWN = 25

const seed = seedOf(process.env.TREFOIL_TEST_SEED)

t.test(`${STEPS} steps, seed ${seed}`, { timeout: 900_000 }, async (t) => {
  t.comment(`TREFOIL_TEST_SEED=${seed} repeats it`)
  const azure = await makeAzure()
  azure.clock.time = Math.ceil(azure.clock.time / 1000) * 1000
  const sequence: Sequence = {
    azure,
    model: new Model(azure.clock.time / 1000),
    random: new Random(seed),
    log: [],
    backups: [],
    signatures: [],
  }
  const { model, log } = sequence
  for (let count = 1; count <= STEPS; count++) {
    try {
      await step(sequence)
      if (count % CHECK_EVERY === 0) await checkEverything(sequence)
    } catch (error) {
      t.fail(`seed ${seed}, step ${count}: ${String(error)}\n${log.slice(-SHOWN).join('\n')}`)
      return
    }
  }
  await checkEverything(sequence)
  t.same(azure.failures, [], 'what fell due was done')
  // A short life may have no rotation that falls due; a long one that has none tests too little.
  t.comment(`${model.purged} keys came and went, ${model.rotated} rotations fell due`)
  if (process.env.TEST_LONG !== undefined) t.ok(model.purged > 0 && model.rotated > 0, 'keys went, rotations fell due')
  t.same(
    azure.audit.records.filter(({ outcome }) => outcome === 'internal'),
    [],
    'no internal error',
  )
})
