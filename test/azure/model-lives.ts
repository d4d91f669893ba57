/** Steps that take a key somewhere for certain, so that every run has been there. */
import assert from 'node:assert/strict'
import type { Weighted } from '../support/random.ts'
import {
  type Action,
  backup,
  DAY,
  GENERATED,
  pass,
  purge,
  put,
  recover,
  remove,
  restore,
  type Sequence,
  setPolicy,
} from './model-actions.ts'

/** A name whose key is there and was not imported. */
async function certainName(s: Sequence): Promise<string> {
  const name = s.random.pick(GENERATED)
  if (s.model.deleted(name) !== undefined) await recover(s, name)
  while (s.model.live(name) === undefined) await put(s, false, name)
  return name
}

/** The clock's purge, and the caller's. */
const end: Action = async (s) => {
  const name = await certainName(s)
  await remove(s, name)
  await pass(s, 90 * DAY)
  assert.ok(!s.model.keys.has(name), `${name} is gone`)
}

const earlyEnd: Action = async (s) => {
  const name = await certainName(s)
  await remove(s, name)
  await purge(s, name)
}

const changeOfMind: Action = async (s) => {
  const name = await certainName(s)
  await remove(s, name)
  await pass(s, s.random.below(89) * DAY)
  await recover(s, name)
}

const secondLife: Action = async (s) => {
  const name = await certainName(s)
  await backup(s, name)
  await remove(s, name)
  await purge(s, name)
  const last = s.backups.at(-1)
  if (last !== undefined) await restore(s, last)
}

const birthday: Action = async (s) => {
  const name = await certainName(s)
  const days = s.random.between(7, 60)
  await setPolicy(s, name, days)
  const before = s.model.rotated
  await pass(s, days * DAY)
  assert.ok(s.model.rotated > before, `${name} was rotated`)
}

export const LIVES: Weighted<Action> = [
  [1, end],
  [1, earlyEnd],
  [1, changeOfMind],
  [1, secondLife],
  [1, birthday],
]
