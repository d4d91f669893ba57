/** Requests made from the service model: legal ones, and the same with one thing wrong. */
import { SHAPES } from '../../src/api/aws/gen/shapes.ts'
import type { Shape, StringShape } from '../../src/api/aws/shape.ts'
import type { Random } from '../support/random.ts'

const shapeOf = (name: string): Shape => (SHAPES as Readonly<Record<string, Shape>>)[name] as Shape

/** Values that mean something to the server, by member or shape name. */
export type Known = Readonly<Record<string, readonly unknown[]>>
export type Json = Record<string, unknown>

const WORD = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const MAX_LENGTH = 300

/** A string of legal length that satisfies the patterns of the slice (letters do all of them). */
function text(random: Random, { min = 0, max = 40 }: StringShape): string {
  const length = random.between(min, Math.min(max, Math.max(min, 40)))
  return Array.from({ length }, () => random.pick([...WORD])).join('')
}

function value(random: Random, name: string, known: Known, member = name): unknown {
  const choices = known[member] ?? known[name]
  if (choices !== undefined && random.chance(0.9)) return random.pick(choices)
  const shape = shapeOf(name)
  switch (shape.type) {
    case 'string':
      return shape.enum === undefined ? text(random, shape) : random.pick(shape.enum)
    case 'blob':
      return random
        .bytes(random.between(shape.min ?? 0, Math.min(shape.max ?? MAX_LENGTH, MAX_LENGTH)))
        .toString('base64')
    case 'integer':
      return random.between(shape.min ?? 0, shape.max ?? 1000)
    case 'boolean':
      return random.chance(0.5)
    case 'timestamp':
      return random.between(1, 2_000_000_000)
    case 'list':
      return Array.from({ length: random.between(shape.min ?? 0, Math.min(shape.max ?? 3, 3)) }, () =>
        value(random, shape.member, known),
      )
    case 'map':
      return Object.fromEntries(
        Array.from({ length: random.between(0, 3) }, () => [
          text(random, { type: 'string', min: 1 }),
          value(random, shape.value, known),
        ]),
      )
    case 'structure':
      return structure(random, name, known)
  }
}

/** Every required member, and each other one every third time. */
export function structure(random: Random, name: string, known: Known): Json {
  const shape = shapeOf(name)
  if (shape.type !== 'structure') throw new Error(`${name} is no structure`)
  const members = Object.entries(shape.members).filter(
    ([member]) => shape.required.includes(member) || random.chance(0.33),
  )
  return Object.fromEntries(members.map(([member, type]) => [member, value(random, type, known, member)]))
}

export type Broken = { readonly body: Json; readonly what: string }

/** What can be wrong with a value of the shape. */
function faults(random: Random, name: string): readonly (readonly [string, unknown])[] {
  const shape = shapeOf(name)
  const wrongType: [string, unknown][] = [
    ['a number', 7],
    ['a list', ['x']],
    ['a structure', { x: 1 }],
    ['a boolean', true],
    ['a string', 'x'],
  ]
  const own = {
    string: 'a string',
    blob: 'a string',
    integer: 'a number',
    timestamp: 'a number',
    boolean: 'a boolean',
    list: 'a list',
    map: 'a structure',
    structure: 'a structure',
  }[shape.type]
  const faults = wrongType.filter(([what]) => what !== own)
  if (shape.type === 'integer')
    faults.push(
      ['below', (shape.min ?? 1) - 1],
      ['above', (shape.max ?? 1000) + 1],
      ['a fraction', 1.5],
      ['huge', 1e21],
    )
  if (shape.type === 'blob') {
    faults.push(['not base64', '*'], ['cut base64', 'aGk'])
    if (shape.min !== undefined) faults.push(['empty', ''])
    if (shape.max !== undefined && shape.max < 10_000)
      faults.push(['too long', random.bytes(shape.max + 1).toString('base64')])
  }
  if (shape.type === 'string') {
    if (shape.enum !== undefined) faults.push(['not of the enumeration', 'NO_SUCH_VALUE'])
    if ((shape.min ?? 0) > 0) faults.push(['empty', ''])
    if (shape.max !== undefined && shape.max < 10_000) faults.push(['too long', 'x'.repeat(shape.max + 1)])
    if (shape.pattern !== undefined) faults.push(['against the pattern', 'no\u4e2dsuch'])
  }
  if (shape.type === 'list' && shape.max !== undefined)
    faults.push(['too long', Array.from({ length: shape.max + 1 }, () => 'x')])
  if (shape.type === 'list') faults.push(['holding null', [null]])
  return faults
}

/** Every way in which one member of `body` can be made wrong, one body each. */
export function broken(random: Random, name: string, body: Json): readonly Broken[] {
  const shape = shapeOf(name)
  if (shape.type !== 'structure') throw new Error(`${name} is no structure`)
  const result: Broken[] = []
  for (const [member, type] of Object.entries(shape.members)) {
    if (shape.required.includes(member)) {
      const { [member]: _, ...without } = body
      result.push(
        { body: without, what: `${member} absent` },
        { body: { ...body, [member]: null }, what: `${member} null` },
      )
    }
    for (const [what, wrong] of faults(random, type))
      result.push({ body: { ...body, [member]: wrong }, what: `${member} ${what}` })
  }
  return result
}
