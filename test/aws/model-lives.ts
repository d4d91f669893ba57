/** Steps that take a key somewhere for certain, so that every run has been there. */
import type { Weighted } from '../support/random.ts'
import { cancel, createKey, enableRotation, pass, rotating, schedule } from './model-actions.ts'
import { type Action, type Sequence, same } from './model-ask.ts'
import { DAY, type Kind, type ModelKey } from './reference-model.ts'

const MOST_DAYS = 30

/** One that suits, or a new one, which does. */
async function certainKey(sequence: Sequence, suits: (key: ModelKey) => boolean, kind: Kind): Promise<ModelKey> {
  const fit = [...sequence.model.keys.values()].filter(suits)
  return fit.length === 0 ? createKey(sequence, kind) : sequence.random.pick(fit)
}

const live = (key: ModelKey): boolean => key.state !== 'PendingDeletion'

const end: Action = async (sequence) => {
  const key = await certainKey(sequence, live, 'signing')
  await schedule(sequence, key.id)
  await pass(sequence, MOST_DAYS * DAY)
  same(sequence.model.keys.has(key.id), false, 'the key is gone')
}

const changeOfMind: Action = async (sequence) => {
  const key = await certainKey(sequence, live, 'mac')
  await schedule(sequence, key.id)
  await pass(sequence, sequence.random.below(7) * DAY)
  await cancel(sequence, key.id)
  same(key.state, 'Disabled', 'the key is back')
}

const birthday: Action = async (sequence) => {
  const key = await certainKey(sequence, rotating, 'symmetric')
  await enableRotation(sequence, key.id)
  const before = key.rotations.length
  await pass(sequence, key.nextAt - sequence.model.now)
  same(key.rotations.length, before + 1, 'the key was rotated')
}

export const LIVES: Weighted<Action> = [
  [1, end],
  [1, changeOfMind],
  [1, birthday],
]
