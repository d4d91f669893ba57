/** Condition blocks: operators, what they compare, and how several values are taken together. */
import { contains, parseRange } from './ip.ts'
import { arnPattern, pattern, template, type Variables } from './pattern.ts'

/** What a request says under a condition key, whose name is in lower case. */
export type Context = (name: string) => string | readonly string[] | undefined
export type Condition = (context: Context, variables: Variables) => boolean
export type Effect = 'Allow' | 'Deny'

type Test = (given: string, variables: Variables) => boolean
/** Undefined: the value can't be one of the operator's kind. */
type Prepare = (wanted: string, dynamic: boolean) => Test | undefined
type Operator = { readonly negated: boolean; readonly prepare: Prepare }

const text =
  (fold: (value: string) => string): Prepare =>
  (wanted, dynamic) => {
    const value = template(wanted, dynamic)
    return (given, variables) => {
      const resolved = value(variables)
      return resolved !== undefined && fold(resolved) === fold(given)
    }
  }
const exact = text((value) => value)
const ignoringCase = text((value) => value.toLowerCase())

type Compare = (given: number, wanted: number) => boolean
const COMPARISONS = {
  Equals: (given, wanted) => given === wanted,
  LessThan: (given, wanted) => given < wanted,
  LessThanEquals: (given, wanted) => given <= wanted,
  GreaterThan: (given, wanted) => given > wanted,
  GreaterThanEquals: (given, wanted) => given >= wanted,
} as const satisfies Record<string, Compare>

const NUMBER = /^[+-]?\d+(?:\.\d+)?$/
const parseNumber = (value: string): number => (NUMBER.test(value) ? Number(value) : Number.NaN)

/** The W3C's profile of ISO 8601, or seconds since the epoch. */
const DATE = /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?)?)?$/
function parseDate(value: string): number {
  if (DATE.test(value)) return Date.parse(/T[^Z+-]*$/.test(value) ? `${value}Z` : value)
  return parseNumber(value) * 1000
}

const comparing =
  (parse: (value: string) => number, compare: Compare): Prepare =>
  (wanted) => {
    const limit = parse(wanted)
    return Number.isNaN(limit) ? undefined : (given) => compare(parse(given), limit)
  }

const boolean: Prepare = (wanted) => {
  const value = wanted.toLowerCase()
  return value === 'true' || value === 'false' ? (given) => given.toLowerCase() === value : undefined
}

const address: Prepare = (wanted) => {
  const range = parseRange(wanted)
  return range && ((given) => contains(range, given))
}

const ordered = (name: string, parse: (value: string) => number): [string, Operator][] =>
  Object.entries(COMPARISONS).map(([comparison, compare]) => [
    `${name}${comparison}`,
    { negated: false, prepare: comparing(parse, compare) },
  ])
const both = (yes: string, no: string, prepare: Prepare): [string, Operator][] => [
  [yes, { negated: false, prepare }],
  [no, { negated: true, prepare }],
]

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ...both('StringEquals', 'StringNotEquals', exact),
  ...both('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', ignoringCase),
  ...both('StringLike', 'StringNotLike', pattern),
  ...ordered('Numeric', parseNumber),
  ['NumericNotEquals', { negated: true, prepare: comparing(parseNumber, COMPARISONS.Equals) }],
  ...ordered('Date', parseDate),
  ['DateNotEquals', { negated: true, prepare: comparing(parseDate, COMPARISONS.Equals) }],
  ['Bool', { negated: false, prepare: boolean }],
  ['BinaryEquals', { negated: false, prepare: exact }],
  ...both('IpAddress', 'NotIpAddress', address),
  ...both('ArnEquals', 'ArnNotEquals', arnPattern),
  ...both('ArnLike', 'ArnNotLike', arnPattern),
])

const NAME = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/

type Parsed = {
  readonly operator: Operator
  readonly set: 'ForAllValues' | 'ForAnyValue' | undefined
  readonly ifExists: boolean
}

/** Undefined: there is no such operator. `Null` is not among them. */
function parseName(name: string): Parsed | undefined {
  const [, set, base = '', ifExists] = NAME.exec(name) ?? []
  const operator = OPERATORS.get(base)
  if (operator === undefined) return undefined
  return { operator, set: set as Parsed['set'], ifExists: ifExists !== undefined }
}

/** An empty text is a value, an empty list is none. */
function valuesOf(given: ReturnType<Context>): readonly string[] {
  if (given === undefined) return []
  return typeof given === 'string' ? [given] : given
}

/** A key that a request lacks: negated operators hold, `ForAllValues` and `IfExists` too. */
const holdsWithout = ({ operator, set, ifExists }: Parsed): boolean =>
  ifExists || set === 'ForAllValues' || (set === undefined && operator.negated)

/**
 * Of several values under a key that was taken to have one, AWS says only not to do it. Here every one of them must
 * satisfy a statement that allows, and one is enough for one that denies.
 */
const takesAny = ({ set }: Parsed, effect: Effect): boolean =>
  set === 'ForAnyValue' || (set === undefined && effect === 'Deny')

function compare(parsed: Parsed, key: string, tests: readonly Test[], effect: Effect): Condition {
  const { negated } = parsed.operator
  const absent = holdsWithout(parsed)
  const any = takesAny(parsed, effect)
  return (context, variables) => {
    const values = valuesOf(context(key))
    if (values.length === 0) return absent
    const holds = (value: string): boolean => tests.some((test) => test(value, variables)) !== negated
    return any ? values.some(holds) : values.every(holds)
  }
}

/** `Null`: whether the request lacks the key. */
const nullTest = (key: string, wanted: readonly string[]): Condition => {
  const values = new Set(wanted.map((value) => value.toLowerCase() === 'true'))
  return (context) => values.has(valuesOf(context(key)).length === 0)
}

export type ConditionOptions = {
  readonly effect: Effect
  /** Whether `${…}` is a variable. */
  readonly dynamic: boolean
}

/** One operator and key with its values; a text says what is wrong with it. */
export function compileCondition(
  name: string,
  key: string,
  wanted: readonly string[],
  { effect, dynamic }: ConditionOptions,
): Condition | string {
  if (name === 'Null') {
    const valid = wanted.every((value) => /^(?:true|false)$/i.test(value))
    return valid ? nullTest(key, wanted) : 'Policy contains a statement with an invalid Condition'
  }
  const parsed = parseName(name)
  if (parsed === undefined) return `Invalid Condition type : ${name}.`
  const tests = wanted.map((value) => parsed.operator.prepare(value, dynamic))
  const valid = tests.filter((test) => test !== undefined)
  if (valid.length !== tests.length) return 'Policy contains a statement with an invalid Condition'
  return compare(parsed, key, valid, effect)
}
