/** Rows as text: whatever a row may hold comes back as it was, and nothing else is accepted. */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { type AnyRow, decodeRow, encodeRow } from '../../src/store/codec.ts'

const row = (fields: Record<string, unknown>): AnyRow => ({ id: 'a', ...fields }) as unknown as AnyRow
const back = (fields: Record<string, unknown>) => decodeRow('a', 7, encodeRow(row(fields)))

t.test('names and values come back as they were', async (t) => {
  // Rows with names that begin with a backslash come first: they are what makes V8 misread others.
  const names = [
    '\\',
    '\\u',
    '\\u0061',
    '"',
    '\n',
    'é',
    'abcdef',
    '\u0001',
    '\ud800',
    '$',
    '$$',
    '$=',
    '$bytes',
    '$=Zg==',
    ':',
    '',
    '😀',
  ]
  for (const name of [...names, ...names]) {
    for (const fields of [
      { tags: { aws: { [name]: 'x' } } },
      { tags: { a: 1, [name]: name } },
      { [name]: [name, { [name]: null }] },
    ]) {
      t.ok(isDeepStrictEqual(back(fields), { id: 'a', revision: 7, ...fields }), JSON.stringify(fields))
    }
  }
  const all = { tags: Object.fromEntries(names.map((name, index) => [name, index])) }
  t.ok(isDeepStrictEqual(back(all), { id: 'a', revision: 7, ...all }))
  t.same(back({ bytes: Uint8Array.of(0, 255), nothing: undefined }), {
    id: 'a',
    revision: 7,
    bytes: Uint8Array.of(0, 255),
  })
})

t.test('what is no row is refused', async (t) => {
  for (const value of [Number.NaN, new Date(), new Map(), () => {}, 1n])
    t.throws(() => encodeRow(row({ value })), TypeError)
  for (const text of ['{"id":"b"}', '[]', 'null', '{"id":"a","$x":1}', '{"id":"a","b":{"$bytes":"A"}}', '{']) {
    t.throws(() => decodeRow('a', 1, text), SyntaxError, text)
  }
})
