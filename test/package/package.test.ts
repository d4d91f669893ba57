/** The package that is published: the same bytes from the same commit, a bill of what is in it, and what an older Node makes of it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'

/** Other things take a registry, or twice the time. */
const LONG = process.env.TEST_LONG !== undefined
const ROOT = new URL('../..', import.meta.url).pathname
const root = mkdtempSync(join(tmpdir(), 'trefoil-package-test-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))
/** tap has every Node load its hooks, which these are to be without. */
const clean = (node: string, ...args: string[]): [string, string[]] => ['env', ['-u', 'NODE_OPTIONS', node, ...args]]
const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] })

/** From a clone of the commit, as whoever checks a release does it. */
function pack(name: string): { readonly file: string; readonly digest: string } {
  const [clone, out] = [join(root, name), join(root, `${name}-out`)]
  git('clone', '--quiet', '--no-hardlinks', ROOT, clone)
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'))
  const said = execFileSync(...clean(process.execPath, 'scripts/package.ts', out), { cwd: clone, encoding: 'utf8' })
  const [digest = '', file = ''] = said.trim().split('  ')
  return { file: join(out, file), digest }
}

const { file, digest } = pack('one')
const consumer = join(root, 'consumer')
const installed = join(consumer, 'node_modules/trefoil')

/** Node before 24, where the machine has one. */
function olderNode(): string | undefined {
  const places = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'node'))
  return places.find((node) => {
    if (!existsSync(node)) return false
    const { stdout } = spawnSync(node, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' })
    return [20, 22].includes(Number(stdout))
  })
}
const older = olderNode()

/** Unpacked, with its dependencies beside it, as npm leaves them. */
function install(): void {
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', file, '--strip-components=1', '-C', installed])
  for (const path of Object.keys(readJson(installed, 'npm-shrinkwrap.json').packages)) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? []
    if (name === undefined || !existsSync(join(ROOT, path))) continue
    mkdirSync(dirname(join(consumer, path)), { recursive: true })
    symlinkSync(join(ROOT, path), join(consumer, path))
  }
}
install()

t.test('the same commit gives the same bytes', async (t) => {
  t.equal(createHash('sha256').update(readFileSync(file)).digest('hex'), digest, 'and the digest that was said')
  if (LONG) t.equal(pack('two').digest, digest)
})

t.test('holds what runs and nothing else', async (t) => {
  const names = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n')
  t.same(
    names.filter((name) => /\.ts$|\/test\/|node_modules|\.node$/.test(name)),
    [],
  )
  for (const name of ['LICENSE', 'NOTICE', 'README.md', 'bin/trefoil.js', 'src/main.js', 'src/hsm/worker.js'])
    t.ok(names.includes(`package/${name}`), name)
  const manifest = readJson(installed, 'package.json')
  t.same([manifest.scripts, manifest.devDependencies], [undefined, undefined], 'nothing runs when it is installed')
  t.same(manifest.dependencies, readJson(ROOT, 'package.json').dependencies)
})

t.test('its bill of materials has each package of the lock file, with its digest', async (t) => {
  const { packages } = readJson(ROOT, 'package-lock.json')
  const bill = readJson(installed, 'sbom.cdx.json')
  t.match(bill, { bomFormat: 'CycloneDX', specVersion: /^1\.\d$/, metadata: { component: { name: 'trefoil' } } })
  t.match(bill.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  const listed = new Map<string, string>(
    bill.components.map((one: { name: string; version: string; hashes: { content: string }[] }) => [
      `${one.name}@${one.version}`,
      one.hashes[0]?.content,
    ]),
  )
  const needed = Object.entries<{ version: string; integrity: string; dev?: boolean }>(packages).filter(
    ([path, { dev }]) => path !== '' && dev !== true,
  )
  for (const [path, { version, integrity }] of needed) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    const expected = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')
    t.equal(listed.get(`${name}@${version}`), expected, `${name}@${version}`)
  }
  t.equal(
    listed.size,
    new Set(needed.map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`)).size,
  )
})

/** Serves in an empty directory until a key was made and used. */
async function serves(start: (env: NodeJS.ProcessEnv, cwd: string) => ChildProcess): Promise<string> {
  const cwd = mkdtempSync(join(root, 'empty-'))
  const { PATH = '', HOME = cwd } = process.env
  const child = start({ PATH, HOME, TREFOIL_PORT: '0', TREFOIL_TLS_PORT: '0', TREFOIL_LOG_FORMAT: 'json' }, cwd)
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout ?? process.stdin })
  const ready = once(lines, 'line').then(([line]) => String(line))
  const line = await Promise.race([ready, exited.then(() => Promise.reject(new Error(stderr)))])
  const url = /http:\/\/\S+/.exec(line)?.[0] ?? ''
  const ask = async (target: string, body: object) => {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${target}` }
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json()
  }
  const { KeyMetadata } = (await ask('CreateKey', { KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' })) as {
    KeyMetadata: { KeyId: string }
  }
  const message = { KeyId: KeyMetadata.KeyId, Message: 'aGk=', SigningAlgorithm: 'ML_DSA_SHAKE_256' }
  const { Signature } = (await ask('Sign', message)) as { Signature: string }
  const { SignatureValid } = (await ask('Verify', { ...message, Signature })) as { SignatureValid: boolean }
  child.kill('SIGTERM')
  const [code] = await exited
  return `${line.split(' ').slice(0, 2).join(' ')}, ${SignatureValid}, ${code}`
}

t.test(
  'serves under an older Node, which starts the pinned one',
  { skip: older === undefined && 'no tool: no Node 20 or 22' },
  async (t) => {
    const bin = join(installed, 'bin/trefoil.js')
    const result = await serves((env, cwd) =>
      spawn(...clean(older ?? '', bin, 'serve'), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    )
    t.equal(result, 'trefoil ready, true, 0')
  },
)

if (older === undefined || LONG) {
  t.test('serves under the pinned Node', async (t) => {
    const bin = join(installed, 'bin/trefoil.js')
    const result = await serves((env, cwd) =>
      spawn(...clean(process.execPath, bin, 'serve'), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    )
    t.equal(result, 'trefoil ready, true, 0')
  })
}

if (LONG) {
  t.test('installed by npm from the registry, in an empty directory', async (t) => {
    const directory = mkdtempSync(join(root, 'npm-'))
    // Headers of the Node that compiles the PKCS#11 add-on; npm would download them.
    const nodedir = join(ROOT, 'node_modules', `node-${process.platform}-${process.arch}`)
    const options = { cwd: directory, stdio: 'ignore', env: { ...process.env, npm_config_nodedir: nodedir } } as const
    execFileSync(...clean('npm', 'install', '--no-audit', '--no-fund', file), options)
    const bin = join(directory, 'node_modules/.bin/trefoil')
    const node = older ?? process.execPath
    const result = await serves((env, cwd) =>
      spawn(...clean(node, bin, 'serve'), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    )
    t.equal(result, 'trefoil ready, true, 0')
  })
}
