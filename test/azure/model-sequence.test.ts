/**
 * Random sequences of operations against a reference model: whatever was done before, each answer is the model's.
 * TREFOIL_TEST_SEED repeats a run, TEST_LONG makes it a long one.
 */
import t from 'tap'
import { Deck, Random, REPEAT } from '../support/random.ts'
import { ACTIONS, checkEverything, type Sequence } from './model-actions.ts'
import { LIVES } from './model-lives.ts'
import { Model } from './reference-model.ts'
import { makeAzure } from './support.ts'

const STEPS = process.env.TEST_LONG === undefined ? 800 : 10_000
const CHECK_EVERY = 40
/** Steps shown before the one that failed. */
const SHOWN = 25

t.test(`${STEPS} steps, ${REPEAT}`, { timeout: 900_000 }, async (t) => {
  t.comment(REPEAT)
  const azure = await makeAzure()
  azure.clock.time = Math.ceil(azure.clock.time / 1000) * 1000
  const sequence: Sequence = {
    azure,
    model: new Model(azure.clock.time / 1000),
    random: new Random(),
    log: [],
    backups: [],
    signatures: [],
  }
  const { model, random, log } = sequence
  const deck = new Deck(random, [...ACTIONS, ...LIVES])
  for (let count = 1; count <= STEPS; count++) {
    try {
      await deck.deal()(sequence)
      if (count % CHECK_EVERY === 0) await checkEverything(sequence)
    } catch (error) {
      t.fail(`${REPEAT}, step ${count}: ${String(error)}\n${log.slice(-SHOWN).join('\n')}`)
      return
    }
  }
  await checkEverything(sequence)
  t.same(azure.failures, [], 'what fell due was done')
  // Each deck that was dealt has one of each.
  const decks = Math.floor(STEPS / deck.size)
  t.ok(model.purged >= decks, `${model.purged} keys came and went`)
  t.ok(model.rotated >= decks, `${model.rotated} rotations fell due`)
  t.ok(model.recovered >= decks, `${model.recovered} keys were recovered`)
  t.ok(model.restored >= decks, `${model.restored} keys were restored`)
  t.same(
    azure.audit.records.filter(({ outcome }) => outcome === 'internal'),
    [],
    'no internal error',
  )
})
