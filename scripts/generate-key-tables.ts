/** Writes the tables of key types, README's short one and docs/algorithms.md's, from the algorithm table and the dialects' names. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isExpressible, wireSpec } from '../src/api/aws/names.ts'
import { keyTypeOf } from '../src/api/azure/names.ts'
import { ALGORITHM_ROWS, GcpAlgorithm } from '../src/api/gcp/algorithms.ts'
import { KEY_SPEC_NAMES, type KeySpec, purposesOf, specRow } from '../src/core/algorithm.ts'
import { needs } from '../src/hsm/needs.ts'

const ROOT = join(import.meta.dirname, '..')
const [BEGIN, END] = ['<!-- begin keys -->', '<!-- end keys -->']

const awsName = (spec: KeySpec): string =>
  purposesOf(spec).some((purpose) => isExpressible({ spec, purpose })) ? wireSpec(spec) : ''
const azureName = (spec: KeySpec): string =>
  purposesOf(spec).flatMap((purpose) => keyTypeOf({ spec, protection: 'software', purpose }) ?? [])[0] ?? ''
const gcpNames = (spec: KeySpec): string =>
  ALGORITHM_ROWS.filter((row) => row.spec === spec)
    .map((row) => GcpAlgorithm[row.gcp])
    .join(', ')

const inToken = (spec: KeySpec): readonly string[] =>
  specRow(spec).algorithms.filter((algorithm) => needs(algorithm) !== undefined)

function tokenWord(spec: KeySpec): string {
  const able = inToken(spec).length
  if (able === 0) return ''
  return able === specRow(spec).algorithms.length ? 'yes' : 'in part'
}

function write(name: string, head: readonly string[], cells: (spec: KeySpec) => readonly string[]): void {
  const path = join(ROOT, name)
  const rows = [head, head.map(() => '---'), ...KEY_SPEC_NAMES.map(cells)].map((row) => `| ${row.join(' | ')} |`)
  const page = readFileSync(path, 'utf8')
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from === -1 || to < from) throw new Error(`${name} lacks the markers of its table`)
  writeFileSync(path, `${page.slice(0, from + BEGIN.length)}\n\n${rows.join('\n')}\n\n${page.slice(to)}`)
}

write('README.md', ['key', 'AWS', 'Azure', 'Google Cloud', 'PKCS#11'], (spec) => [
  spec,
  awsName(spec),
  azureName(spec),
  gcpNames(spec) === '' ? '' : 'yes',
  tokenWord(spec),
])
write('docs/algorithms.md', ['key', 'algorithms', 'in a token', 'Google Cloud'], (spec) => [
  spec,
  specRow(spec).algorithms.join(', '),
  inToken(spec).join(', '),
  gcpNames(spec),
])
