import { Problem } from '../core/problem.ts'
import type { SecretSource } from './schema.ts'

/** @throws Problem unless exactly one of the three is there */
export function checkSource(source: SecretSource, where: string): SecretSource {
  const given = Object.values(source).filter((value) => value !== undefined).length
  if (given === 1) return source
  throw new Problem(
    `${where} ${given === 0 ? 'says nothing' : 'names more than one source'}`,
    `set exactly one of ${where}.env, ${where}.file and ${where}.fd`,
  )
}
