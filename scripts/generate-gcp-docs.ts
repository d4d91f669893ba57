/**
 * Writes the tables of docs/gcp.md, each between its markers, from the bindings and the tables of the dialect.
 *
 *     node scripts/generate-gcp-docs.ts            writes
 *     node scripts/generate-gcp-docs.ts --check    exits 1 when the page is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALGORITHM_ROWS, GcpAlgorithm, GcpPurpose } from '../src/api/gcp/algorithms.ts'
import { BINDINGS } from '../src/api/gcp/bindings/index.ts'
import { METHODS } from '../src/api/gcp/services.ts'

const PAGE = join(import.meta.dirname, '..', 'docs', 'gcp.md')

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

function coverage(): string {
  const bound = new Map(BINDINGS.map((binding) => [binding.method, binding]))
  const services = Map.groupBy(METHODS, ({ method }) => method.parent.typeName)
  const sections = [...services].map(([service, methods]) => {
    const rows = methods.map(({ method, rules }) => {
      const [rule] = rules
      const http = rule === undefined ? '' : `\`${rule.method} ${rule.template}\``
      const binding = bound.get(method)
      return [
        method.name,
        http,
        binding?.operation ?? 'unsupported',
        binding === undefined ? '' : `\`${binding.permission}\``,
      ]
    })
    const done = methods.filter(({ method }) => bound.has(method)).length
    return `### ${service}: ${done} of ${methods.length}\n\n${table(['method', 'REST', 'core operation', 'permission'], rows)}`
  })
  return sections.join('\n\n')
}

function algorithms(): string {
  const rows = ALGORITHM_ROWS.map((row) => [
    GcpPurpose[row.purpose] ?? '',
    `\`${GcpAlgorithm[row.gcp]}\``,
    row.spec,
    row.algorithm ?? 'envelope',
    row.hsmOnly === true ? 'HSM only' : '',
  ])
  return table(['purpose', 'algorithm', 'key', 'operation', ''], rows)
}

function fill(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error(`docs/gcp.md lacks the markers of ${name}`)
  return `${page.slice(0, from + begin.length)}\n\n${content}\n\n${page.slice(to)}`
}

const before = readFileSync(PAGE, 'utf8')
const after = fill(fill(before, 'coverage', coverage()), 'algorithms', algorithms())
if (process.argv.includes('--check')) {
  if (after !== before) {
    process.stderr.write('docs/gcp.md is out of date: run npm run generate\n')
    process.exitCode = 1
  }
} else if (after !== before) {
  writeFileSync(PAGE, after)
}
