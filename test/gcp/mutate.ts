/** A valid request broken in one place, every place and many ways, as its descriptor says where the places are. */
import {
  clone,
  create,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'
import { FieldMaskSchema, isWrapperDesc } from '@bufbuild/protobuf/wkt'
import type { Random } from '../support/random.ts'
import { randomMessage } from './random-message.ts'

export type Broken<T> = { readonly what: string; readonly request: T }
type Slots = Record<string, unknown>

const TEXTS = [
  '',
  '/',
  'nonsense',
  'projects/p',
  'projects/../locations/global',
  'a'.repeat(3000),
  'é🔑',
  '\u0000',
  '%2F%00',
  'projects/local/locations/global/keyRings/r/cryptoKeys/none/cryptoKeyVersions/99999999999999999999',
]

/** Parts of a resource's name: well formed or not, but none that is there. */
const SEGMENTS = ['none', 'a b', 'x'.repeat(64), 'é', '0', '7', 'a:b', '%2F', 'A%41']

/** A resource's name with one of its last two ids replaced. */
function names(whole: string): readonly string[] {
  const segments = whole.split('/')
  const ids = [segments.length - 1, segments.length - 3].filter((index) => index > 0)
  return ids.flatMap((index) => SEGMENTS.map((segment) => segments.with(index, segment).join('/')))
}

function scalars(random: Random, type: ScalarType): readonly unknown[] {
  switch (type) {
    case ScalarType.STRING:
      return TEXTS
    case ScalarType.BYTES:
      return [new Uint8Array(0), random.bytes(1), random.bytes(93), random.bytes(70_000)]
    case ScalarType.BOOL:
      return [true, false]
    case ScalarType.INT64:
      return [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]
    default:
      return [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]
  }
}

function values(random: Random, field: DescField, whole: unknown): readonly unknown[] {
  if (typeof whole === 'string' && whole.includes('/')) return [...TEXTS, ...names(whole)]
  if (field.fieldKind === 'map') return [{}, { '': '' }, { A: 'b' }, { a: 'B c' }, { ['k'.repeat(64)]: 'v' }]
  if (field.fieldKind === 'list') return [[]]
  if (field.scalar !== undefined) return scalars(random, field.scalar)
  if (field.enum !== undefined) return [...field.enum.values.map(({ number }) => number), 9999, -1]
  const desc = field.message
  if (field.oneof === undefined && isWrapperDesc(desc)) {
    return [undefined, ...scalars(random, (desc.fields[0] as DescField & { fieldKind: 'scalar' }).scalar)]
  }
  if (desc.typeName === FieldMaskSchema.typeName) {
    return [[], ['*'], ['nothing'], ['state', 'algorithm'], ['labels.a'], ['']].map((paths) =>
      create(FieldMaskSchema, { paths }),
    )
  }
  const numbers = desc.typeName.startsWith('google.protobuf.')
    ? [0n, -1n, 10n ** 9n].map((seconds) => create(desc, { seconds }))
    : []
  return [undefined, create(desc), ...numbers, ...(numbers.length > 0 ? [] : [randomMessage(random, desc)])]
}

/** Each field in turn gets each value that is worth a try, those of the messages within it too. */
export function* brokenMessages(
  random: Random,
  desc: DescMessage,
  whole: Message,
  path = '',
): Generator<Broken<Message>> {
  for (const field of desc.fields) {
    const name = path === '' ? field.name : `${path}.${field.name}`
    for (const value of values(random, field, (whole as unknown as Slots)[field.localName])) {
      const request = clone(desc, whole)
      const slots = request as unknown as Slots
      if (field.oneof !== undefined) {
        slots[field.oneof.localName] = value === undefined ? { case: undefined } : { case: field.localName, value }
      } else if (value === undefined) delete slots[field.localName]
      else slots[field.localName] = value
      yield { what: `${name} = ${describe(value)}`, request }
    }
    const inner = (whole as unknown as Slots)[field.localName]
    if (
      field.fieldKind !== 'message' ||
      field.oneof !== undefined ||
      inner === undefined ||
      field.message.typeName.startsWith('google.protobuf.')
    )
      continue
    for (const broken of brokenMessages(random, field.message, inner as Message, name)) {
      const request = clone(desc, whole)
      ;(request as unknown as Slots)[field.localName] = broken.request
      yield { what: broken.what, request }
    }
  }
}

const describe = (value: unknown): string =>
  value instanceof Uint8Array
    ? `${value.length} bytes`
    : (JSON.stringify(value, (_, one) =>
        typeof one === 'bigint' ? String(one) : one instanceof Uint8Array ? `${one.length} bytes` : one,
      )?.slice(0, 80) ?? 'absent')

const WRONG_TYPES: readonly JsonValue[] = [
  null,
  true,
  7,
  1.5,
  -1,
  1e300,
  '',
  'text',
  '====',
  [],
  [1],
  {},
  { a: { b: 1 } },
]

/** Each member of a JSON body in turn is of each other type, or has a stranger beside it. */
export function* brokenJson(whole: JsonObject, path = ''): Generator<Broken<JsonObject>> {
  yield { what: `${path} with an unknown member`, request: { ...whole, unknownMember: 1 } }
  for (const [name, value] of Object.entries(whole)) {
    for (const wrong of WRONG_TYPES)
      yield { what: `${path}${name} = ${JSON.stringify(wrong)}`, request: { ...whole, [name]: wrong } }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue
    for (const inner of brokenJson(value, `${path}${name}.`))
      yield { what: inner.what, request: { ...whole, [name]: inner.request } }
  }
}

/** The bytes of a message with one bit flipped, cut short, or with more after them. */
export function* brokenBytes(random: Random, whole: Uint8Array, count: number): Generator<Broken<Uint8Array>> {
  for (let round = 0; round < count; round++) {
    const at = random.below(whole.length)
    const flipped = Uint8Array.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8))
    yield { what: `byte ${at} flipped`, request: flipped }
    yield { what: `cut at ${at}`, request: whole.subarray(0, at) }
    const extra = random.bytes(1 + random.below(8))
    yield { what: `followed by ${Buffer.from(extra).toString('hex')}`, request: Buffer.concat([whole, extra]) }
  }
}
