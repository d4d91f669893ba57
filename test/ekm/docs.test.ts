import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { BINDINGS as CLOUD } from '../../src/api/ekm/cloud/bindings/index.ts'
import { COVERAGE } from '../../src/api/ekm/cloud/coverage.ts'
import { checkSettings } from '../../src/config/check.ts'
import type { AnyExposure } from '../../src/config/exposures/common.ts'
import { resolveExposures } from '../../src/config/exposures/index.ts'

const ROOT = join(import.meta.dirname, '../..')

t.test('the tables of docs/cloud-ekm.md and docs/cse.md are those of the bindings', async (t) => {
  const script = join(ROOT, 'scripts/generate-ekm-docs.ts')
  t.doesNotThrow(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' }))
})

t.test('every method that is bound is in the table', async (t) => {
  const covered = new Set(COVERAGE.filter(({ operation }) => operation !== undefined).map(({ wire }) => wire))
  for (const { wire } of CLOUD) t.ok(covered.has(wire), wire)
})

t.test('the examples are configurations', async (t) => {
  for (const name of ['cloud-ekm.md', 'cse.md']) {
    const page = readFileSync(join(ROOT, 'docs', name), 'utf8')
    const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? []
    const settings = checkSettings(parse(example), name)
    t.equal(resolveExposures(settings.exposures as readonly AnyExposure[], false).length, 1, name)
  }
})
