/** Turns what a file or the environment says into settings, or into a Problem that names the key and the way out. */
import { Kind, type TObject, type TSchema } from '@sinclair/typebox'
import { Value, type ValueError, ValueErrorType } from '@sinclair/typebox/value'
import { Problem } from '../core/problem.ts'
import { exposureSchema } from './exposures/index.ts'
import { nearest } from './nearest.ts'
import { choices, Settings } from './schema.ts'

/** Values under these keys may be secrets put there by mistake: never echoed. */
const PRIVATE = /(^|\/)(pin|passphrase|url|secret)(\/|$)/

const dotted = (pointer: string): string =>
  pointer
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.')

const lastKey = (pointer: string): string => pointer.slice(pointer.lastIndexOf('/') + 1)

function expectation(schema: TSchema): string {
  const literals = choices(schema)
  if (literals !== undefined) return `one of ${literals.join(', ')}`
  if (typeof schema.description === 'string') return schema.description
  const kind = schema[Kind].toLowerCase()
  const range = [schema.minimum, schema.maximum]
  if (typeof range[0] === 'number' && typeof range[1] === 'number')
    return `a whole number from ${range[0]} to ${range[1]}`
  if (kind === 'object') return `a group of settings: ${Object.keys((schema as TObject).properties).join(', ')}`
  return { string: 'a text', array: 'a list', boolean: 'true or false' }[kind] ?? `a value of type ${kind}`
}

function shown(pointer: string, value: unknown): string {
  if (PRIVATE.test(pointer)) return ''
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? ', not a list' : ', not a group of settings'
  return `, not ${JSON.stringify(value)}`
}

function problemOf(error: ValueError, source: string): Problem {
  const name = dotted(error.path)
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const known = Object.keys((error.schema as TObject).properties)
    const meant = nearest(lastKey(error.path), known)
    const fix =
      meant === undefined
        ? `remove it; known here: ${known.join(', ')}`
        : `did you mean ${dotted(error.path.replace(/[^/]*$/, meant))}?`
    return new Problem(`${source}: unknown setting ${name}`, fix)
  }
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return new Problem(`${source}: ${name} is missing`, `set ${name} to ${expectation(error.schema)}`)
  }
  const literals = choices(error.schema)
  const meant = literals !== undefined && typeof error.value === 'string' ? nearest(error.value, literals) : undefined
  return new Problem(
    `${source}: ${name} must be ${expectation(error.schema)}${shown(error.path, error.value)}`,
    meant === undefined ? `set ${name} to ${expectation(error.schema)}` : `did you mean ${meant}?`,
  )
}

/** Of an entry by its protocol's own schema, under the entry's place in the list. */
function exposureErrors({ exposures = [] }: Settings): readonly ValueError[] {
  return exposures.flatMap((exposure, index) =>
    [...Value.Errors(exposureSchema(exposure.protocol), exposure)].map((error) => ({
      ...error,
      path: `/exposures/${index}${error.path}`,
    })),
  )
}

/**
 * @param source what to blame in messages: a file's name or "the environment"
 * @throws Problem
 */
export function checkSettings(value: unknown, source: string): Settings {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem(
      `${source} is not a group of settings`,
      'write it as "name: value" lines, as docs/operations.md shows',
    )
  }
  const found = [...Value.Errors(Settings, value)]
  const errors = found.length > 0 ? found : exposureErrors(value as Settings)
  // A mistyped name is also a missing one: the mistake is the more helpful half.
  const error = errors.find(({ type }) => type === ValueErrorType.ObjectAdditionalProperties) ?? errors[0]
  if (error !== undefined) throw problemOf(error, source)
  return value as Settings
}
