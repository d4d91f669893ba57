/**
 * Writes the coverage tables of docs/cloud-ekm.md and docs/cse.md, between their markers, from the bindings.
 *
 *     node scripts/generate-ekm-docs.ts            writes
 *     node scripts/generate-ekm-docs.ts --check    exits 1 when a page is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CLOUD_METHODS, COVERAGE } from '../src/api/ekm/cloud/coverage.ts'
import { CSE_ROUTES } from '../src/api/ekm/cse/coverage.ts'

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const RECORDS = {
  seen: 'as implementations that run live have it',
  path: 'untried against Google: its path is known, its body in part',
} as const

function cloud(): string {
  const rows = CLOUD_METHODS.map(({ wire, http, record }, index) => {
    const operation = COVERAGE[index]?.operation
    return [wire, `\`${http}\``, operation ?? 'unsupported (501)', operation === undefined ? '' : RECORDS[record]]
  })
  return table(['method', 'request', 'core operation', 'how much is known'], rows)
}

const cse = (): string =>
  table(
    ['route', 'who may ask', 'core operations'],
    CSE_ROUTES.map(({ wire, http, operation, asks }) => [`\`${http} /${wire}\``, asks, operation ?? '']),
  )

function fill(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`the page lacks the markers of ${name}`)
  return `${page.slice(0, from + begin.length)}\n\n${content}\n\n${page.slice(to)}`
}

for (const [name, content] of [
  ['cloud-ekm.md', cloud()],
  ['cse.md', cse()],
] as const) {
  const path = join(import.meta.dirname, '..', 'docs', name)
  const before = readFileSync(path, 'utf8')
  const after = fill(before, 'coverage', content)
  if (after === before) continue
  if (process.argv.includes('--check')) {
    process.stderr.write(`docs/${name} is out of date: run npm run generate\n`)
    process.exitCode = 1
  } else {
    writeFileSync(path, after)
  }
}
