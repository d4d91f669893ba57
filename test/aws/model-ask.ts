/** What the steps of the random sequences share: asking, comparing, choosing. */
import { deepStrictEqual } from 'node:assert/strict'
import type { Random } from '../support/random.ts'
import type { Model, ModelKey } from './reference-model.ts'
import { type TestAws, UNKNOWN_ID } from './support.ts'

export type Sequence = { readonly aws: TestAws; readonly model: Model; readonly random: Random; readonly log: string[] }
export type Action = (sequence: Sequence) => Promise<void>

export const ALIASES = ['alias/a', 'alias/b', 'alias/c/d', 'alias/e']
export const MISTAKE = 0.1

export const same = (actual: unknown, expected: unknown, what: string): void => deepStrictEqual(actual, expected, what)

/** Asks; the refusal has to be the one that the model gives, word by word. @returns the answer's body, if any */
export async function ask({ aws, log }: Sequence, operation: string, body: object, refused?: string) {
  log.push(`${operation} ${JSON.stringify(body).slice(0, 120)}`)
  const answer = await aws.ask(operation, body)
  const { __type, message } = answer.body ?? {}
  const got = answer.status === 200 ? undefined : message === undefined ? __type : `${__type}: ${message}`
  same(got, refused, operation)
  return answer.status === 200 ? (answer.body ?? {}) : undefined
}

/** Mostly a key that is there and suits the step, now and then any, one that was, or one that never was. */
export function pickId({ model, random }: Sequence, suits: (key: ModelKey) => boolean = () => true): string {
  if (model.keys.size === 0 || random.chance(MISTAKE / 2)) return random.pick([UNKNOWN_ID, ...model.purged.slice(-3)])
  const keys = [...model.keys.values()]
  const fit = keys.filter(suits)
  return random.pick(fit.length === 0 || random.chance(MISTAKE) ? keys : fit).id
}
export const symmetric = (key: ModelKey): boolean => key.kind === 'symmetric'
export const word = (random: Random): string => random.bytes(random.between(1, 12)).toString('base64')
export const used = (model: Model, key: ModelKey, operation: string): void => {
  key.lastUse = { operation, at: model.now }
}

/** Materials get their names from the service, once; from then on they are the same. */
export function checkMaterial(key: ModelKey, index: number, id: string): void {
  key.materials[index] ??= id
  same(id, key.materials[index], `material ${index} of ${key.id}`)
  same(new Set(key.materials.filter((known) => known !== undefined)).size, key.materials.filter(Boolean).length, 'ids')
}
