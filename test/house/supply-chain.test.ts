/** What the server is made of besides its own code: exact versions, known bytes, licences that allow it. */
import { readFileSync } from 'node:fs'
import t from 'tap'

const readJson = (name: string) => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))
type Entry = {
  readonly version: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly license?: string
}

/** None asks for more than to be named (NOTICE, LICENSE). */
const LICENCES = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
  'CC0-1.0',
])
/** `(A AND B)`: both hold, `(A OR B)`: either may be chosen. */
const allowed = (expression: string): boolean => {
  const text = expression.replace(/^\((.*)\)$/, '$1')
  if (text.includes(' AND ')) return text.split(' AND ').every(allowed)
  return text.split(' OR ').some((name) => LICENCES.has(name))
}

const lock: { readonly packages: Readonly<Record<string, Entry>> } = readJson('package-lock.json')
const entries = Object.entries(lock.packages).filter(([path]) => path !== '')

t.test('every version is exact', async (t) => {
  const { dependencies, devDependencies, optionalDependencies } = readJson('package.json')
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }))
    t.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name)
})

// npm keeps no digest of a tool for another machine than the one that the lock file was made on.
t.test('the bytes of every package are known', async (t) => {
  for (const [path, { integrity, dev, optional }] of entries)
    if (!(dev && optional)) t.match(integrity, /^sha512-/, path)
})

t.test('the licences of what the server is made of', async (t) => {
  const production = entries.filter(([, { dev }]) => dev !== true)
  t.ok(production.length > 50)
  for (const [path, { license = 'none' }] of production) t.ok(allowed(license), `${path}: ${license}`)
  for (const bad of ['GPL-3.0', '(MIT AND AGPL-3.0-only)', 'none', 'SEE LICENSE IN x']) t.notOk(allowed(bad), bad)
  t.ok(allowed('(GPL-2.0 OR MIT)'))
})
