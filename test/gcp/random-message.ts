/** Reproducible random messages of any descriptor. */
import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'
import type { Random } from '../support/random.ts'

const TEXTS = ['', 'a', 'projects/p/locations/global', 'é€🔑', '"\\\n', 'name desc', 'x'.repeat(300)]

function scalar(random: Random, type: ScalarType): unknown {
  switch (type) {
    case ScalarType.STRING:
      return random.pick(TEXTS)
    case ScalarType.BYTES:
      return random.bytes(random.below(40))
    case ScalarType.BOOL:
      return random.below(2) === 1
    case ScalarType.INT64:
      return random.pick([0n, 1n, -1n, 2n ** 32n - 1n, 2n ** 63n - 1n, -(2n ** 63n)])
    default:
      return random.pick([0, 1, -1, 100, 2 ** 31 - 1, -(2 ** 31)])
  }
}

function wellKnown(random: Random, desc: DescMessage): unknown {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return create(desc, { seconds: BigInt(random.below(2 ** 31)), nanos: random.pick([0, 5e8]) } as Record<
        string,
        unknown
      >)
    case 'google.protobuf.Duration':
      return create(desc, { seconds: BigInt(random.below(1e6)), nanos: random.pick([0, 1e6]) } as Record<
        string,
        unknown
      >)
    case 'google.protobuf.FieldMask':
      return create(desc, { paths: random.pick([[], ['labels'], ['next_rotation_time', 'labels']]) } as Record<
        string,
        unknown
      >)
    default:
      return create(desc)
  }
}

function element(random: Random, field: DescField, depth: number): unknown {
  if (field.scalar !== undefined) return scalar(random, field.scalar)
  if (field.enum !== undefined) return random.pick([...field.enum.values.map(({ number }) => number), 9999])
  const desc = field.message
  if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(desc)) {
    return scalar(random, (desc.fields[0] as DescField & { fieldKind: 'scalar' }).scalar)
  }
  if (desc.typeName.startsWith('google.protobuf.')) return wellKnown(random, desc)
  return randomMessage(random, desc, depth + 1)
}

function fieldValue(random: Random, field: DescField, depth: number): unknown {
  const count = random.below(3)
  if (field.fieldKind === 'list') return Array.from({ length: count }, () => element(random, field, depth))
  if (field.fieldKind === 'map') {
    return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, element(random, field, depth)]))
  }
  return element(random, field, depth)
}

export function randomMessage(random: Random, desc: DescMessage, depth = 0): Message {
  const init: Record<string, unknown> = {}
  for (const field of desc.fields) {
    if (depth > 4 || random.below(3) === 0) continue
    const value = fieldValue(random, field, depth)
    if (field.oneof === undefined) init[field.localName] = value
    else init[field.oneof.localName] = { case: field.localName, value }
  }
  return create(desc, init)
}
