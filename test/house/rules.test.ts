/** The house rules that a program can check. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

const ROOT = new URL('../..', import.meta.url).pathname
const MAX_LINES = 500
const files = execFileSync('git', ['ls-files', 'src', 'test'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((name) => name.endsWith('.ts') && !name.includes('/gen/') && existsSync(join(ROOT, name)))
const sources = files.filter((name) => name.startsWith('src/'))
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8')
const importsOf = (name: string): readonly string[] =>
  [...read(name).matchAll(/(?:from\s+|import\(\s*)'([^']+)'/g)].map(([, target = '']) => target)

/** What each folder may import besides itself, packages and Node's own modules. */
const DIRECTION: Readonly<Record<string, readonly string[]>> = {
  core: [],
  native: [],
  crypto: ['core', 'native'],
  hsm: ['core', 'native'],
  store: ['core'],
  audit: ['core'],
  backup: ['core', 'store'],
  metrics: ['core'],
  config: ['core'],
  api: ['core', 'config.ts', 'config'],
}
const CORE_PACKAGES = /^(node:(crypto|util|buffer|timers)|@noble\/.*)$/
const ANYWHERE = new Set([
  'main.ts',
  'observe.ts',
  'offline.ts',
  'recovery.ts',
  'reload.ts',
  'root-key.ts',
  'service.ts',
  'surfaces.ts',
  'typed.ts',
  'vault.ts',
  'cli.ts',
  'cli',
  'config.ts',
])

/** `core`, `api`, or a file's own name at the top. */
const folderOf = (name: string): string => name.split('/')[1] ?? ''
const dialectOf = (name: string): string | undefined => /^src\/api\/(aws|azure|gcp|xks|ekm)\//.exec(name)?.[1]

t.test('imports point one way', (t) => {
  for (const name of sources) {
    const folder = folderOf(name)
    for (const target of importsOf(name)) {
      if (!target.startsWith('.')) {
        if (folder === 'core') t.match(target, CORE_PACKAGES, `${name} imports ${target}`)
        continue
      }
      const imported = normalize(join(dirname(name), target))
      const other = folderOf(imported)
      if (!ANYWHERE.has(folder)) {
        t.ok(other === folder || DIRECTION[folder]?.includes(other), `${name} imports ${imported}`)
      }
      const [own, theirs] = [dialectOf(name), dialectOf(imported)]
      if (own !== undefined && theirs !== undefined) t.equal(theirs, own, `${name} imports ${imported}`)
    }
  }
  t.end()
})

t.test('concrete classes are named in main.ts only', (t) => {
  const concrete = /\bnew (SoftwareBackend|Kernel|SettableClock|SystemClock|ModeAuthorizer|DueWork)\(/
  t.same(
    sources.filter((name) => concrete.test(read(name))),
    ['src/main.ts'],
  )
  t.end()
})

t.test('only config.ts reads the environment', (t) => {
  t.same(
    sources.filter((name) => read(name).includes('process.env')),
    ['src/config.ts'],
  )
  t.end()
})

t.test('files stay short, and hold no leftovers', (t) => {
  for (const name of files) {
    const text = read(name)
    t.ok(text.split('\n').length <= MAX_LINES, `${name} has at most ${MAX_LINES} lines`)
    if (name === 'test/house/rules.test.ts') continue
    t.notMatch(text, /^export default|^\s*(export )?(const )?enum \w|\b(TODO|FIXME)\b/m, name)
  }
  t.end()
})

t.test('decisions are numbered once each, without a gap', (t) => {
  const decisions = readdirSync(join(ROOT, 'docs/adr')).sort()
  decisions.forEach((name, index) => {
    const number = String(index + 1).padStart(3, '0')
    t.ok(name.startsWith(`${number}-`), `${name} is ${number}`)
    t.match(read(`docs/adr/${name}`), new RegExp(`^# ${number} `), `the title of ${name}`)
  })
  t.end()
})

t.test('what every project has', (t) => {
  for (const name of ['README.md', 'LICENSE', 'NOTICE', 'CHANGELOG.md', 'package-lock.json'])
    t.ok(existsSync(join(ROOT, name)), name)
  t.notMatch(read('package-lock.json'), /"resolved":/, 'the lock file names no registry')
  t.end()
})
