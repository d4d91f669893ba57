/**
 * Random sequences of operations against a reference model: whatever was done before, each answer is the model's, refusals
 * word by word. TREFOIL_TEST_SEED repeats a run, TEST_LONG makes it a long one.
 */
import t from 'tap'
import { Deck, Random, REPEAT } from '../support/random.ts'
import { ACTIONS, checkEverything } from './model-actions.ts'
import type { Sequence } from './model-ask.ts'
import { LIVES } from './model-lives.ts'
import { Model } from './reference-model.ts'
import { makeAws } from './support.ts'

const STEPS = process.env.TEST_LONG === undefined ? 1_000 : 10_000
const CHECK_EVERY = 60
/** Steps shown before the one that failed. */
const SHOWN = 25

t.test(`${STEPS} steps, ${REPEAT}`, { timeout: 600_000 }, async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const sequence: Sequence = { aws, model: new Model(aws.clock.now()), random: new Random(), log: [] }
  const { model, random, log } = sequence
  const deck = new Deck(random, [...ACTIONS, ...LIVES])
  for (let step = 1; step <= STEPS; step++) {
    try {
      await deck.deal()(sequence)
      if (step % CHECK_EVERY === 0) await checkEverything(sequence)
    } catch (error) {
      t.fail(`${REPEAT}, step ${step}: ${String(error)}\n${log.slice(-SHOWN).join('\n')}`)
      return
    }
  }
  await checkEverything(sequence)
  t.same(aws.failures, [], 'what fell due was done')
  // Each deck that was dealt has one of each.
  const decks = Math.floor(STEPS / deck.size)
  t.ok(model.purged.length >= decks, `${model.purged.length} keys came and went`)
  t.ok(model.rotated >= decks, `${model.rotated} rotations fell due`)
  t.ok(model.recovered >= decks, `${model.recovered} keys were recovered`)
  const bad = aws.audit.records.filter(({ outcome }) => outcome === 'internal')
  t.same(bad, [], 'no internal error')
})
