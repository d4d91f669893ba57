/**
 * Writes the tables of docs/xks.md, each between its markers, from the bindings and the errors of the dialect.
 *
 *     node scripts/generate-xks-docs.ts            writes
 *     node scripts/generate-xks-docs.ts --check    exits 1 when the page is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BINDINGS, coverage, HEALTH } from '../src/api/xks/bindings/index.ts'
import { codesOf, XKS_ERRORS } from '../src/api/xks/errors.ts'

const PAGE = join(import.meta.dirname, '..', 'docs', 'xks.md')

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

function operations(): string {
  const routes = new Map([...BINDINGS, HEALTH].map(({ wire, route }) => [wire, route]))
  const rows = coverage.map(({ wire, operation }) => {
    const route = routes.get(wire) ?? ''
    const path = route === HEALTH.route ? route : `keys/{externalKeyId}/${route}`
    return [wire, `\`POST [/{prefix}]/kms/xks/v1/${path}\``, operation ?? '']
  })
  return table(['operation', 'request', 'core operation'], rows)
}

function errors(): string {
  const rows = Object.entries(XKS_ERRORS).map(([name, status]) => {
    const codes = codesOf(name as keyof typeof XKS_ERRORS)
    return [`\`${name}\``, String(status), codes.map((code) => `\`${code}\``).join(' ')]
  })
  return table(['error', 'status', "of the core's"], rows)
}

function fill(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`docs/xks.md lacks the markers of ${name}`)
  return `${page.slice(0, from + begin.length)}\n\n${content}\n\n${page.slice(to)}`
}

const before = readFileSync(PAGE, 'utf8')
const after = fill(fill(before, 'coverage', operations()), 'errors', errors())
if (process.argv.includes('--check')) {
  if (after !== before) {
    process.stderr.write('docs/xks.md is out of date: run npm run generate\n')
    process.exitCode = 1
  }
} else if (after !== before) {
  writeFileSync(PAGE, after)
}
