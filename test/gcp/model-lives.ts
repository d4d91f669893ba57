/** Steps that take a key somewhere for certain, so that every run has been there. */
import assert from 'node:assert/strict'
import type { Weighted } from '../support/random.ts'
import {
  addVersion,
  createKey,
  DAY,
  deleteKey,
  deleteVersion,
  destroy,
  HOUR,
  type KeyStep,
  type Model,
  pass,
  reschedule,
  restore,
  type Step,
  usable,
  WHOLE_SCHEDULE,
  type World,
  type WorldStep,
} from './model-steps.ts'

/** Longer than any version waits for its destruction. */
const LONG = 31 * DAY

function done({ what, expected, actual }: Step): void {
  assert.equal(actual, expected, what)
}

/** One of the keys that encrypt, or a new one. */
async function certainKey(world: World): Promise<Model> {
  const { keys, retired, random } = world
  const fit = [...keys.values()].filter(({ encrypts }) => encrypts)
  if (fit.length > 0) return random.pick(fit)
  const id = `certain-${retired.size}`
  done(await createKey(world, id, { encrypts: true, bare: false }))
  return keys.get(id) as Model
}

const of = (step: KeyStep, world: World, key: Model, number: number): Promise<Step> =>
  step(world, key, number, key.versions[number - 1])

const end: WorldStep = async (world) => {
  const key = await certainKey(world)
  // What rotates meanwhile would leave a version, and the key.
  done(await reschedule(world, key, { period: undefined, next: undefined }, WHOLE_SCHEDULE))
  const numbers = (suits: (version: Model['versions'][number]) => boolean | undefined) =>
    key.versions.flatMap((version, at) => (suits(version) === true ? [at + 1] : []))
  for (const number of numbers((version) => version && usable(version))) done(await of(destroy, world, key, number))
  await pass(world, LONG)
  for (const number of numbers((version) => version !== undefined)) done(await of(deleteVersion, world, key, number))
  return deleteKey(world, key, 0, undefined)
}

const changeOfMind: WorldStep = async (world) => {
  const key = await certainKey(world)
  done(await of(addVersion, world, key, 0))
  const number = key.versions.length
  done(await of(destroy, world, key, number))
  await pass(world, world.random.below(24) * HOUR)
  return { ...(await of(restore, world, key, number)), key }
}

const birthday: WorldStep = async (world) => {
  const key = await certainKey(world)
  const next = world.gcp.clock.now() + DAY
  done(await reschedule(world, key, { period: 2 * DAY, next }, WHOLE_SCHEDULE))
  const before = key.versions.length
  await pass(world, DAY)
  return { what: 'rotation by the clock', expected: String(before + 1), actual: String(key.versions.length), key }
}

export const LIVES: Weighted<WorldStep> = [
  [1, end],
  [1, changeOfMind],
  [1, birthday],
]
