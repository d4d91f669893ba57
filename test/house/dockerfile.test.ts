/** The container's build, as far as it goes without an engine: what it names is there, and what it copies is enough to serve. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'

const ROOT = new URL('../..', import.meta.url).pathname
type Step = { readonly name: string; readonly args: string }
type Stage = { readonly name: string; readonly from: string; readonly steps: readonly Step[] }

/** Instructions with their continued lines joined, comments left out, stage by stage. */
function readStages(text: string): readonly Stage[] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
  const stages: { name: string; from: string; steps: Step[] }[] = []
  for (const line of lines) {
    const [, name = '', args = ''] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? []
    const [, from = '', stage = ''] = name === 'FROM' ? (/^(\S+) AS (\S+)$/.exec(args) ?? []) : []
    if (name === 'FROM') stages.push({ name: stage, from, steps: [] })
    else if (name !== '') stages.at(-1)?.steps.push({ name, args })
  }
  return stages
}

const stages = readStages(readFileSync(join(ROOT, 'docker/Dockerfile'), 'utf8'))
const of = (stage: Stage | undefined, name: string): readonly string[] =>
  (stage?.steps ?? []).filter((step) => step.name === name).map(({ args }) => args)
/** What the build may see of a path: the ignore file leaves all out that it does not name. */
const allowed = readFileSync(join(ROOT, 'docker/Dockerfile.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1))
const isVisible = (path: string): boolean => allowed.some((entry) => path === entry || path.startsWith(`${entry}/`))

t.test('stages build on each other, and compose names them', async (t) => {
  t.same(
    stages.map(({ name }) => name),
    ['build', 'trefoil', 'trefoil-softhsm'],
  )
  const names = stages.map(({ name }) => name)
  const compose = parse(readFileSync(join(ROOT, 'docker/compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<string, { build: { context: string; dockerfile: string; target: string } }>
  }
  for (const [service, { build }] of Object.entries(compose.services)) {
    t.ok(names.includes(build.target), `${service}: ${build.target}`)
    t.ok(existsSync(join(ROOT, 'docker', build.context, build.dockerfile)), build.dockerfile)
  }
  for (const stage of stages.slice(1)) t.same(of(stage, 'USER').at(-1), 'trefoil', `${stage.name} is not root's`)
})

/** Copies what the first stage copies. */
function copyContext(target: string): readonly string[] {
  const copied: string[] = []
  for (const args of of(stages[0], 'COPY')) {
    const paths = args.split(/\s+/)
    const to = paths.pop() ?? ''
    for (const path of paths) {
      const source = join(ROOT, path)
      // A folder's own contents are what Docker copies.
      const whole = to.endsWith('/') ? join(target, to, path.split('/').at(-1) ?? '') : join(target, to)
      mkdirSync(dirname(whole), { recursive: true })
      cpSync(source, whole, { recursive: true, filter: (from) => !relative(ROOT, from).startsWith('src/native/build') })
      copied.push(path)
    }
  }
  return copied
}

t.test('what it copies is there, is let through, and serves', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-image-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const app = join(directory, 'app')
  mkdirSync(app)
  for (const path of copyContext(app)) t.ok(isVisible(path), `${path} is not ignored`)
  for (const [, script = ''] of of(stages[0], 'RUN').flatMap((args) => [...args.matchAll(/sh (scripts\/\S+)/g)])) {
    t.ok(existsSync(join(app, script)), script)
    execFileSync('sh', ['-n', join(app, script)])
  }
  for (const args of stages.flatMap((stage) => [...of(stage, 'ENTRYPOINT'), ...of(stage, 'HEALTHCHECK')])) {
    for (const [path] of args.matchAll(/\/app\/[\w./-]+/g)) t.ok(existsSync(join(directory, path)), path)
  }
  const start = readFileSync(join(app, 'docker/start-with-softhsm.sh'), 'utf8')
  for (const [path] of start.matchAll(/\/app\/[\w./-]+/g)) t.ok(existsSync(join(directory, path)), path)
  execFileSync('sh', ['-n', join(app, 'docker/start-with-softhsm.sh')])

  // The packages are this checkout's; npm ci would make the same of the lock file.
  symlinkSync(join(ROOT, 'node_modules'), join(app, 'node_modules'))
  const env = { PATH: `${join(app, 'node_modules/.bin')}:${process.env.PATH}`, HOME: directory }
  const run = (...args: string[]) =>
    execFileSync('node', args, {
      cwd: app,
      encoding: 'utf8',
      env: { ...env, TREFOIL_DATA_DIR: join(directory, 'data') },
    })
  t.match(run('bin/trefoil.js', 'init'), /is ready/)
  t.match(run('bin/trefoil.js', 'serve', '--print-config'), '"profile"')
})
