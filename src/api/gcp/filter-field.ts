/** One comparison of a filter: a path into a message, an operator, and a value of the field's type. */
import { type DescField, type DescMessage, isFieldSet, type Message, ScalarType } from '@bufbuild/protobuf'
import { type Duration, durationMs, type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt'
import { type Slots, slotsOf } from './json.ts'

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '=>' | ':'
export type Comparator = (message: Message) => boolean
type Test = (value: unknown) => boolean
type Refuse = (reason: string) => Error
type Ordered = string | number | bigint

/** Whether a field has any value; the other operators need one of its type. */
const ANY = '*'
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/i
const DURATION = /^-?\d{1,12}(?:\.\d{1,9})?s$/

function ordered<T extends Ordered>(operator: Operator, wanted: T, read: (value: unknown) => T): Test {
  switch (operator) {
    case '<':
      return (value) => read(value) < wanted
    case '<=':
      return (value) => read(value) <= wanted
    case '>':
      return (value) => read(value) > wanted
    case '>=':
    case '=>':
      return (value) => read(value) >= wanted
    default:
      return (value) => read(value) === wanted
  }
}

const contains = (wanted: string, read: (value: unknown) => string): Test => {
  const folded = wanted.toLowerCase()
  return (value) => read(value).toLowerCase().includes(folded)
}

/** A name is compared whole, or by its last part where the value has one only (`name = "quickstart"`). */
const nameReader = (value: string) => (name: unknown) =>
  value.includes('/') ? String(name) : String(name).slice(String(name).lastIndexOf('/') + 1)

function stringTest(field: DescField, operator: Operator, value: string): Test {
  if (operator === ':') return contains(value, String)
  return ordered(operator, value, field.name === 'name' ? nameReader(value) : String)
}

function enumTest(field: DescField & { enum: object }, operator: Operator, value: string, refuse: Refuse): Test {
  const { values } = (field as DescField & { fieldKind: 'enum' }).enum
  const nameOf = (number: unknown) => values.find((one) => one.number === number)?.name ?? String(number)
  if (operator === ':') return contains(value, nameOf)
  if (operator !== '=' && operator !== '!=') throw refuse(`can't be ordered by ${operator}`)
  const wanted = values.find(({ name, number }) => name === value || String(number) === value)
  if (wanted === undefined) throw refuse(`has no value ${JSON.stringify(value.slice(0, 60))}`)
  return (number) => number === wanted.number
}

function scalarTest(field: DescField, scalar: ScalarType, operator: Operator, value: string, refuse: Refuse): Test {
  if (scalar === ScalarType.STRING) return stringTest(field, operator, value)
  if (scalar === ScalarType.BYTES) throw refuse('can not be compared')
  if (scalar === ScalarType.BOOL) {
    if (!/^(?:true|false)$/.test(value)) throw refuse('is compared with true or false')
    if (operator !== '=' && operator !== '!=' && operator !== ':') throw refuse(`can't be ordered by ${operator}`)
    return (flag) => String(flag) === value
  }
  if (!/^-?\d{1,18}$/.test(value)) throw refuse('is compared with a whole number')
  return ordered(operator, BigInt(value), (number) => BigInt(number as number))
}

function timeTest(desc: DescMessage, operator: Operator, value: string, refuse: Refuse): Test {
  if (operator === ':') throw refuse('is not a text: only :* can be asked of it')
  if (desc.typeName === 'google.protobuf.Duration') {
    if (!DURATION.test(value)) throw refuse('is compared with seconds such as 86400s')
    return ordered(operator, Number(value.slice(0, -1)) * 1000, (duration) => durationMs(duration as Duration))
  }
  const at = TIME.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(at)) throw refuse('is compared with a time such as 2019-06-20T01:30:15Z')
  return ordered(operator, at, (time) => timestampMs(time as Timestamp))
}

function testOf(field: DescField, operator: Operator, value: string, refuse: Refuse): Test {
  if (field.scalar !== undefined) return scalarTest(field, field.scalar, operator, value, refuse)
  if (field.enum !== undefined) return enumTest(field, operator, value, refuse)
  const { typeName } = field.message
  if (typeName === 'google.protobuf.Timestamp' || typeName === 'google.protobuf.Duration') {
    return timeTest(field.message, operator, value, refuse)
  }
  throw refuse('has fields of its own: name one of them')
}

function fieldOf(message: Message, field: DescField): unknown {
  const slots = slotsOf(message)
  if (field.oneof === undefined) return slots[field.localName]
  const chosen = slots[field.oneof.localName] as { readonly case?: string; readonly value?: unknown }
  return chosen.case === field.localName ? chosen.value : undefined
}

/** `labels.team = alpha`, `labels.team:*`, and `labels:team` for a key that is there. */
function mapTest(field: DescField, key: string | undefined, operator: Operator, value: string, refuse: Refuse): Test {
  const entry = key ?? value
  const has: Test = (map) => Object.hasOwn(map as object, entry)
  if (key === undefined) {
    if (operator !== ':') throw refuse('is a map: name one of its keys')
    return value === ANY ? (map) => Object.keys(map as object).length > 0 : has
  }
  if (operator === ':' && value === ANY) return has
  const test = testOf(field, operator, value, refuse)
  return (map) => has(map) && test((map as Slots)[entry])
}

function fieldTest(field: DescField, operator: Operator, value: string, refuse: Refuse): Test {
  if (field.fieldKind === 'list') {
    const test = value === ANY && operator === ':' ? () => true : testOf(field, operator, value, refuse)
    return (list) => (list as unknown[]).some(test)
  }
  if (operator === ':' && value === ANY) return () => true
  const test = testOf(field, operator, value, refuse)
  return (one) => one !== undefined && test(one)
}

/** @throws what `refuse` makes of a path, an operator or a value that does not fit */
export function resolve(
  desc: DescMessage,
  path: string,
  operator: Operator,
  value: string,
  refuse: Refuse,
): Comparator {
  const [head = '', ...rest] = path.split('.')
  const field = desc.fields.find(({ name, jsonName }) => name === head || jsonName === head)
  if (field === undefined) throw refuse(`is not a field of ${desc.name}`)
  // Inequality is the negation of equality, also where there is nothing to compare.
  if (operator === '!=') {
    const equal = resolve(desc, path, '=', value, refuse)
    return (message) => !equal(message)
  }
  if (field.fieldKind === 'map') {
    const test = mapTest(field, rest.length === 0 ? undefined : rest.join('.'), operator, value, refuse)
    return (message) => test(fieldOf(message, field))
  }
  if (rest.length === 0) {
    const test = fieldTest(field, operator, value, refuse)
    const presence = operator === ':' && value === ANY
    return (message) => (presence ? isFieldSet(message, field) : test(fieldOf(message, field)))
  }
  if (field.fieldKind !== 'message' || field.message.typeName.startsWith('google.protobuf.')) {
    throw refuse('has no fields of its own')
  }
  const inner = resolve(field.message, rest.join('.'), operator, value, refuse)
  return (message) => {
    const nested = fieldOf(message, field)
    return nested !== undefined && inner(nested as Message)
  }
}
