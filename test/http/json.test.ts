/** The strict parser, against the lenient one: it refuses more and never reads a text differently. */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { JsonError, parseJson } from '../../src/api/http/json.ts'
import { KmsError } from '../../src/core/error.ts'
import { Random, REPEAT } from '../support/random.ts'

const parse = (text: string | Uint8Array, depth = 8): unknown => parseJson(Buffer.from(text as string), { depth })
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

function caught(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

t.test('what JSON allows and a key service does not', async (t) => {
  const refused: Readonly<Record<string, string | Uint8Array>> = {
    'a name twice': '{"a":1,"a":2}',
    'a name twice, escaped': '{"a":1,"\\u0061":2}',
    'a name twice, deep': '[{"x":[{"a":{},"b":1,"a":[]}]}]',
    'a name that looks like an index, twice': '{"1":1,"1":1}',
    __proto__: '{"__proto__":{"admin":true}}',
    '__proto__ escaped': '{"\\u005f_proto__":1}',
    '__proto__ deep': '[[{"a":{"__proto__":null}}]]',
    'constructor.prototype': '{"constructor":{"prototype":{"x":1}}}',
    'too deep': nested(9),
    'too deep, mixed': `${'{"a":'.repeat(9)}1${'}'.repeat(9)}`,
    'very deep': '['.repeat(200_000),
    'invalid UTF-8': Buffer.from('7b2261223a22ff227d', 'hex'),
    'overlong UTF-8': Buffer.from('7b2261223a22c0af227d', 'hex'),
    'a surrogate in UTF-8': Buffer.from('7b2261223a22eda080227d', 'hex'),
    'a cut character': Buffer.from('2261e282', 'hex'),
    'a lone surrogate': '{"a":"\\ud800"}',
    'a lone surrogate in a name': '{"\\udc00":1}',
    'a byte order mark': '\ufeff{}',
    nothing: '',
    spaces: '  ',
    'a comment': '{/**/}',
    'a trailing comma': '{"a":1,}',
    'single quotes': "{'a':1}",
    'two values': '{}{}',
    NaN: 'NaN',
    'a leading zero': '01',
    'a control character': '"\u0001"',
    'an open string': '{"a":"b',
    'an escaped end': '{"a":"b\\"}',
  }
  for (const [name, text] of Object.entries(refused)) {
    t.ok(caught(() => parse(text)) instanceof JsonError, name)
  }
  const error = caught(() => parse('{"password-0815":1,"password-0815":1}'))
  t.ok(error instanceof KmsError && error.code === 'invalid_argument')
  t.notMatch(JSON.stringify(error), '0815', 'the text is not quoted')
})

t.test('what is left reads as JSON.parse reads it', async (t) => {
  const accepted = [
    '{}',
    '[]',
    'null',
    '1e400',
    '-0',
    '"\\ud83d\\ude00"',
    '"😀"',
    '{"":""}',
    '{"a:b":"c:d","e":"\\":{"}',
    '"\\\\"',
    '{"a\\\\":1,"b":"\\\\\\""}',
    '{"constructor":1}',
    '{"constructor":{}}',
    '{"prototype":{}}',
    '{"toString":1}',
    ' \n{"a" : [ 1 , {"a":1} ] }\t',
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    nested(8),
  ]
  for (const text of accepted) t.ok(isDeepStrictEqual(parse(text), JSON.parse(text)), text)
  t.equal(({} as Record<string, unknown>).admin, undefined)
})

const NAMES = ['a', 'b', ':', '{', '"', '\\', 'é', '😀', '1', 'constructor', '', 'a\n', '__proto', '}]']
const name = (random: Random): string => random.pick(NAMES)

type Made = {
  readonly text: string
  readonly value: unknown
  /** Some object in the text has a name twice. */
  readonly twice: boolean
}

/** Every character as an escape, or as JSON.stringify has it. */
function quote(random: Random, text: string): string {
  if (random.below(4) !== 0) return JSON.stringify(text)
  const escaped = text.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `"${escaped.join('')}"`
}

/** Text and value are made side by side: JSON.parse itself is among what is tested. */
function make(random: Random, depth: number): Made {
  const kind = depth === 0 ? 2 + random.below(4) : random.below(6)
  if (kind > 1) {
    const value = [null, true, random.below(1000) - 500, name(random) + name(random)][kind - 2]
    return { text: typeof value === 'string' ? quote(random, value) : JSON.stringify(value), value, twice: false }
  }
  const items = Array.from({ length: random.below(4) }, () => ({ name: name(random), ...make(random, depth - 1) }))
  const twice = items.some((item) => item.twice)
  if (kind === 0) {
    return { text: `[${items.map(({ text }) => text).join(' ,')}]`, value: items.map(({ value }) => value), twice }
  }
  const members = items.map((item) => `${quote(random, item.name)} :${item.text}`)
  return {
    text: `{${members.join(',')}}`,
    value: Object.fromEntries(items.map((item) => [item.name, item.value])),
    twice: twice || new Set(items.map((item) => item.name)).size < items.length,
  }
}

t.test('a name with an escape is itself, whatever names were read before (nodejs/node#63785)', async (t) => {
  for (const poison of ['{"k":1,"\\\\":1}', '{"k":1,"\\\\u0061":1}', '{"\\\\":1}', '{"\\\\u":1}']) parse(poison)
  t.same(parse('{"k":1,"\\u00e9":2}'), { k: 1, é: 2 })
  t.same(parse('{"k":1,"\\n":2}'), { k: 1, '\n': 2 })
  t.same(parse('{"k":1,"\\u0061bcdef":2}'), { k: 1, abcdef: 2 })
  t.same(parse('{"\\"":2}'), { '"': 2 })
  t.same(parse('{"\\u00e9a" : ["\\u00e9", {"n0":"n1"}], "n0":":"}'), { éa: ['é', { n0: 'n1' }], n0: ':' })
})

t.test('random texts: refused exactly when a name is there twice', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  let twice = 0
  for (let round = 0; round < 20_000; round++) {
    const made = make(random, 5)
    let value: unknown
    try {
      value = parse(made.text)
    } catch (error) {
      if (!(error instanceof JsonError) || !made.twice) throw new Error(`refused: ${made.text}`, { cause: error })
      twice++
      continue
    }
    if (made.twice) throw new Error(`accepted: ${made.text}`)
    if (!isDeepStrictEqual(value, made.value)) throw new Error(`read differently: ${made.text}`)
  }
  t.ok(twice > 100 && twice < 19_000, `${twice} of 20,000 had one twice`)
})

t.test('random damage: nothing but JsonError, and no text that JSON.parse refuses', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  let accepted = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(make(random, 4).text)
    for (let cut = 0; cut <= random.below(3) && bytes.length > 0; cut++)
      bytes[random.below(bytes.length)] = random.below(256)
    try {
      parse(bytes)
    } catch (error) {
      if (error instanceof JsonError) continue
      throw new Error(`not a JsonError for ${bytes.toString('hex')}`, { cause: error })
    }
    accepted++
    JSON.parse(bytes.toString('utf8'))
  }
  t.ok(accepted > 100, `${accepted} survived`)
})
