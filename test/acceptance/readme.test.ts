/** The README's examples, run as they stand, ports aside. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const examples = README.split('\n## ').flatMap((section) => {
  const script = section.split('```bash\n')[1]?.split('```')[0]
  return script === undefined ? [] : [{ title: section.split('\n')[0] ?? '', script }]
})
const TOOLS: Readonly<Record<string, string>> = { AWS: 'aws', 'Google Cloud': 'gcloud', Azure: 'curl' }

const missing = (tool: string): string | false =>
  spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0 ? false : `no tool: ${tool}`

t.test('one example for each cloud', async (t) => {
  t.same(
    examples.map(({ title }) => title),
    Object.keys(TOOLS),
  )
})

for (const { title, script } of examples) {
  t.test(title, { skip: missing(TOOLS[title] ?? '') }, async (t) => {
    const server = await startTrefoil()
    const directory = mkdtempSync(join(tmpdir(), 'trefoil-readme-'))
    t.teardown(async () => {
      rmSync(directory, { recursive: true, force: true })
      await server.stop()
    })
    const ported = script
      .replaceAll('http://127.0.0.1:7400', server.plainUrl)
      .replaceAll('https://localhost:7443', server.tlsUrl)
    const { PATH = '', PYENV_VERSION } = process.env
    const env = {
      PATH,
      HOME: directory,
      CLOUDSDK_CONFIG: directory,
      ...(PYENV_VERSION !== undefined && { PYENV_VERSION }),
    }
    const output = execFileSync('bash', ['-euo', 'pipefail', '-c', ported], {
      cwd: directory,
      env,
      encoding: 'utf8',
      timeout: 120_000,
    })
    if (title === 'AWS') t.match(output, 'Verified OK')
    if (title === 'Azure') t.match(JSON.parse(output), { key: { kty: 'EC' } })
    t.pass('the script succeeded')
  })
}
