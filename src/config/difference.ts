/** Which settings differ between two configurations, by their names. */
import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '../core/record.ts'
import type { Config } from './resolve.ts'

/** Settings as they are named in messages: `exposures`, `log.level`. */
function named(config: Config): ReadonlyMap<string, unknown> {
  const entries = Object.entries(config).flatMap(([name, value]): [string, unknown][] =>
    isRecord(value) ? Object.entries(value).map(([inner, item]) => [`${name}.${inner}`, item]) : [[name, value]],
  )
  return new Map(entries)
}

export function differences(one: Config, other: Config): readonly string[] {
  const [before, after] = [named(one), named(other)]
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names].filter((name) => !isDeepStrictEqual(before.get(name), after.get(name))).sort()
}
