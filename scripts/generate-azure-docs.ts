/**
 * Writes the tables of docs/azure.md, each between its markers, from the bindings and the names of the dialect.
 *
 *     node scripts/generate-azure-docs.ts            writes
 *     node scripts/generate-azure-docs.ts --check    exits 1 when the page is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ENCRYPTIONS, OCT_ALGORITHMS, SIGNATURES } from '../src/api/azure/algorithms.ts'
import { BINDINGS } from '../src/api/azure/bindings/index.ts'
import { AZURE_OPERATIONS } from '../src/api/azure/coverage.ts'
import { MACS } from '../src/api/azure/macs.ts'
import { AES_SIZES, AKP_ALGORITHMS, CURVES, MAC_SIZES, RSA_SIZES } from '../src/api/azure/names.ts'
import { specHas } from '../src/core/algorithm.ts'

const PAGE = join(import.meta.dirname, '..', 'docs', 'azure.md')

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

function coverage(): string {
  const bound = new Map(BINDINGS.map((binding) => [binding.wire, binding.operation]))
  const groups = Object.entries(AZURE_OPERATIONS).map(([group, operations]) => {
    const rows = operations.map(([wire, http]) => [wire, `\`${http}\``, bound.get(wire) ?? 'unsupported'])
    const done = operations.filter(([wire]) => bound.has(wire)).length
    return `### ${group}: ${done} of ${operations.length}\n\n${table(['operation', 'request', 'core operation'], rows)}`
  })
  return groups.join('\n\n')
}

function algorithms(): string {
  const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(' ')
  const rsa = Object.entries(SIGNATURES).filter(([, row]) => !('curve' in row))
  const curves = Object.keys(CURVES).map((curve) => {
    const names = Object.entries(SIGNATURES).filter(([, row]) => 'curve' in row && row.curve === curve)
    return ['EC, EC-HSM', curve, code(names.map(([name]) => name)), '', '']
  })
  const sizes = Object.keys(RSA_SIZES).join(', ')
  const rsaNames = code(Object.keys(ENCRYPTIONS))
  const rsaRow = ['RSA, RSA-HSM', sizes, code(rsa.map(([name]) => name)), rsaNames, rsaNames]
  const akp = Object.keys(AKP_ALGORITHMS).map((name) => ['AKP, AKP-HSM', name, code([name]), '', ''])
  const oct = Object.entries(AES_SIZES).map(([bits, spec]) => {
    const names = (wraps: boolean) =>
      Object.entries(OCT_ALGORITHMS).filter(([, row]) => row.wraps === wraps && (!('spec' in row) || row.spec === spec))
    return ['oct, oct-HSM', bits, '', ...[false, true].map((wraps) => code(names(wraps).map(([name]) => name)))]
  })
  const macs = Object.entries(MAC_SIZES).map(([bits, spec]) => {
    const names = Object.entries(MACS).filter(([, { algorithm }]) => specHas(spec, algorithm))
    return ['oct, oct-HSM', bits, code(names.map(([name]) => name)), '', '']
  })
  const head = ['kty', 'size, curve or alg', 'sign, verify', 'encrypt, decrypt', 'wrapKey, unwrapKey']
  return table(head, [rsaRow, ...curves, ...akp, ...oct, ...macs])
}

function fill(page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error(`docs/azure.md lacks the markers of ${name}`)
  return `${page.slice(0, from + begin.length)}\n\n${content}\n\n${page.slice(to)}`
}

const before = readFileSync(PAGE, 'utf8')
const after = fill(fill(before, 'coverage', coverage()), 'algorithms', algorithms())
if (process.argv.includes('--check')) {
  if (after !== before) {
    process.stderr.write('docs/azure.md is out of date: run npm run generate\n')
    process.exitCode = 1
  }
} else if (after !== before) {
  writeFileSync(PAGE, after)
}
