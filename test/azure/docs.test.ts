import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { BINDINGS } from '../../src/api/azure/bindings/index.ts'
import { AZURE_OPERATIONS, COVERAGE } from '../../src/api/azure/coverage.ts'

t.test('the tables of docs/azure.md are those of the bindings', async (t) => {
  const script = join(import.meta.dirname, '../../scripts/generate-azure-docs.ts')
  t.doesNotThrow(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' }))
})

t.test('every binding is an operation of Azure’s, at Azure’s path', async (t) => {
  const documented = new Map<string, string>(
    Object.values(AZURE_OPERATIONS)
      .flat()
      .map(([wire, http]) => [wire, http]),
  )
  for (const { wire, method, paths } of BINDINGS) {
    t.equal(documented.get(wire), `${method} ${paths[0].replaceAll(/:(\w+)/g, '{$1}')}`, wire)
  }
  t.equal(COVERAGE.filter(({ operation }) => operation !== undefined).length, BINDINGS.length)
})
