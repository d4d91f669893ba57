/** What the production profile refuses, by the process itself. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { selfSigned } from '../support/xks-proxy.ts'

const BIN = new URL('../../bin/trefoil.js', import.meta.url).pathname
const TMPFS = 0x01021994
const SHARED_MEMORY = '/dev/shm'
const isMemory = (path: string): boolean => {
  try {
    return statfsSync(path).type === TMPFS
  } catch {
    return false
  }
}

async function setUp(t: { teardown(handler: () => unknown): void }) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-production-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { cert, key } = await selfSigned('localhost')
  const file = (name: string, text: string, mode = 0o600): string => {
    writeFileSync(join(directory, name), text, { mode })
    return join(directory, name)
  }
  const passphrase = file('passphrase', 'a passphrase of production')
  const settings = {
    profile: 'production',
    host: '127.0.0.1',
    tlsPort: 0,
    tls: { cert: file('cert.pem', cert, 0o644), key: file('key.pem', key) },
    rootKey: { type: 'passphrase', passphrase: { file: passphrase } },
    dataDir: join(directory, 'data'),
  }
  let started = 0
  /** stderr of a start that ends; undefined for one that does not. */
  const refusal = async (change: object, drop: readonly string[] = []): Promise<string> => {
    const written = Object.fromEntries(
      Object.entries({ ...settings, ...change }).filter(([name]) => !drop.includes(name)),
    )
    const config = file(`trefoil-${++started}.yaml`, JSON.stringify(written))
    const env = { PATH: process.env.PATH ?? '', HOME: directory }
    const child = spawn(process.execPath, [BIN, 'serve', '--config', config], { cwd: directory, env })
    let text = ''
    child.stderr.on('data', (chunk) => {
      text += chunk
    })
    child.stdout.on('data', () => child.kill('SIGTERM'))
    const code = await new Promise((resolve) => child.once('close', resolve))
    return code === 1 ? text : `ended with ${code}`
  }
  return { directory, settings, refusal, file }
}

t.test('each refusal, and the way out', async (t) => {
  const { directory, settings, refusal, file } = await setUp(t)
  t.equal(await refusal({}), 'ended with 0', 'a configuration with nothing against it serves')
  const dataDir = join(directory, 'open')
  mkdirSync(dataDir, { mode: 0o700 })
  chmodSync(dataDir, 0o755)
  const readable = file('readable', 'a passphrase', 0o604)
  const key = file('readable-key.pem', readFileSync(settings.tls.key, 'utf8'), 0o644)
  const shared = { port: 0, tls: settings.tls, dialects: ['gcp', 'xks'] }
  const plain = { port: 0, behindProxy: true, dialects: ['aws'] }
  const cases: readonly (readonly [object, RegExp, RegExp, (readonly string[])?])[] = [
    [{ auth: { gcp: 'off' } }, /auth\.gcp is off/, /accepted\.auth/],
    [{ auth: { azure: 'permissive' } }, /auth\.azure is permissive/, /enforce/],
    [{ rootKey: { type: 'file' } }, /root key in a file/, /passphrase/],
    [{}, /tls has no certificate/, /tls\.cert/, ['tls']],
    [{ port: 0 }, /no plain port/, /behindProxy/],
    [{ listeners: [{ port: 0 }] }, /listeners\[0\] has no tls/, /behindProxy/, ['tlsPort']],
    [
      { listeners: [plain], auth: { aws: 'off' }, accepted: { auth: 'this is a test' } },
      /auth\.aws is off, but other/,
      /enforce/,
      ['tlsPort'],
    ],
    [{ rootKey: { type: 'passphrase', passphrase: { file: readable } } }, /readable holds a secret/, /chmod o-rwx/],
    [{ tls: { ...settings.tls, key } }, /readable-key\.pem holds a secret/, /chmod o-rwx/],
    [{ dataDir }, /open is open to others/, /chmod 700/],
    [{ listeners: [shared] }, /serves xks beside gcp, which manages keys/, /a listener of its own/, ['tlsPort']],
    [{ listeners: [{ ...shared, dialects: ['azure', 'ekm'] }] }, /serves ekm beside azure/, /dialects/, ['tlsPort']],
  ]
  const texts = await Promise.all(cases.map(([change, , , drop]) => refusal(change, drop)))
  cases.forEach(([, message, fix], index) => {
    t.match(texts[index], message, String(message))
    t.match(texts[index], fix)
  })
  t.equal(await refusal({ auth: { gcp: 'off' }, accepted: { auth: 'nobody else is on this host' } }), 'ended with 0')
})

t.test(
  'storage that forgets',
  { skip: isMemory(SHARED_MEMORY) ? false : `no tool: ${SHARED_MEMORY} is no tmpfs` },
  async (t) => {
    const { refusal } = await setUp(t)
    const memory = mkdtempSync(join(SHARED_MEMORY, 'trefoil-production-'))
    t.teardown(() => rmSync(memory, { recursive: true, force: true }))
    const text = await refusal({ dataDir: memory })
    t.match(text, /dataDir .* is on tmpfs/)
    t.match(text, /audit\.path .* is on tmpfs/, 'the log is in it')
    t.match(await refusal({ audit: { path: join(memory, 'not-there-yet') } }), /audit\.path .* is on tmpfs/)
  },
)

t.test('all of it at once, and no secret in it', async (t) => {
  const { refusal, file } = await setUp(t)
  const readable = file('readable', 'planted-passphrase', 0o644)
  const text = await refusal({
    auth: { aws: 'off', gcp: 'permissive' },
    rootKey: { type: 'passphrase', passphrase: { file: readable } },
    port: 0,
  })
  t.match(text, /refused for (\d+) reasons/)
  for (const part of [/auth\.aws is off/, /auth\.gcp is permissive/, /readable holds a secret/, /no plain port/])
    t.match(text, part)
  t.notMatch(text, /planted-passphrase/)
  t.equal((text.match(/^ {4}\d+\. /gm) ?? []).length % 2, 0, 'a fix for every message')
})

t.test(
  'no core files of a process that holds keys',
  { skip: process.platform === 'linux' ? false : 'no tool: /proc' },
  async (t) => {
    const { settings } = await setUp(t)
    const { dataDir, ...config } = settings
    const trefoil = await startTrefoil({ config, dataDir, env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' } })
    t.teardown(() => trefoil.stop())
    const limits = readFileSync(`/proc/${trefoil.pid}/limits`, 'utf8')
    t.match(limits, /^Max core file size\s+0\s+0\s/m)
  },
)
