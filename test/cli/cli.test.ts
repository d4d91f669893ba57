/** The command line, as a process: what it prints, where, and with which exit code. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { type Result, runBin as trefoil } from './run.ts'

function makeDirectory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'trefoil-cli-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

t.test('help and mistakes', async (t) => {
  const cwd = makeDirectory(t)
  const help = await trefoil(cwd, ['--help'])
  t.match(help, { code: 0, err: '', out: /serve[\s\S]*init[\s\S]*doctor[\s\S]*audit verify[\s\S]*examples/ })
  t.match(await trefoil(cwd, []), { code: 2 })
  t.match(await trefoil(cwd, ['sreve']), { code: 2, out: '', err: /sreve.*\n.*did you mean serve\?/ })
  t.match(await trefoil(cwd, ['serve', '--prot', '1']), { code: 2, out: '', err: '--prot' })
  t.match(await trefoil(cwd, ['serve'], { TREFOIL_PROT: '1' }), {
    code: 1,
    out: '',
    err: /TREFOIL_PROT.*\n.*did you mean TREFOIL_PORT\?/,
  })
  t.match(await trefoil(cwd, ['serve', '--config', 'none.yaml']), { code: 1, err: 'none.yaml cannot be read' })
  t.notOk(existsSync(join(cwd, '.trefoil')), 'nothing was made')
})

t.test('--print-config shows what is in force, and no secret', async (t) => {
  const cwd = makeDirectory(t)
  writeFileSync(
    join(cwd, 'trefoil.yaml'),
    'vaultDomain: kv.test\nrootKey: { type: passphrase, passphrase: { env: MY_PASSPHRASE } }\n',
  )
  const { code, out } = await trefoil(cwd, ['serve', '--print-config'], {
    MY_PASSPHRASE: 'passphrase-0815',
    TREFOIL_LOG_LEVEL: 'warn',
  })
  t.equal(code, 0)
  t.match(JSON.parse(out), {
    profile: 'dev',
    vaultDomain: 'kv.test',
    log: { level: 'warn' },
    rootKey: { passphrase: { env: 'MY_PASSPHRASE' } },
  })
  t.notMatch(out, '0815')
})

t.test('init makes everything once, and audit verify reads it', async (t) => {
  const cwd = makeDirectory(t)
  const env = { TREFOIL_DATA_DIR: join(cwd, 'data') }
  t.match(await trefoil(cwd, ['init'], env), { code: 0, out: /is ready/ })
  const root = join(cwd, 'data', 'root.key')
  t.equal(statSync(root).mode & 0o777, 0o600)
  t.equal(statSync(join(cwd, 'data')).mode & 0o777, 0o700)
  const before = readFileSync(root)
  t.match(await trefoil(cwd, ['init'], env), { code: 0 })
  t.same(readFileSync(root), before, 'again changes nothing')
  t.match(await trefoil(cwd, ['audit', 'verify'], env), { code: 0, out: /records verified/ })
})

t.test('audit verify makes nothing where nothing is', async (t) => {
  const cwd = makeDirectory(t)
  const dataDir = join(cwd, 'data')
  const verdict = await trefoil(cwd, ['audit', 'verify'], { TREFOIL_DATA_DIR: dataDir })
  t.match(verdict, { code: 1, out: '', err: /no installation in .*data[\s\S]*TREFOIL_DATA_DIR/ })
  t.notOk(existsSync(dataDir))
})

/** A process whose clock is off by so many seconds. */
function clockShim(directory: string, seconds: number): Readonly<Record<string, string>> {
  const [source, library] = [new URL('../support/clock-shim.c', import.meta.url).pathname, join(directory, 'clock.so')]
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  return { LD_PRELOAD: library, CLOCK_SHIM_SECONDS: String(seconds) }
}

t.test('doctor finds a clock that is off, and does not do what such a clock makes due', async (t) => {
  const cwd = makeDirectory(t)
  const dataDir = join(cwd, 'data')
  const server = await startTrefoil({ dataDir })
  const aws = async (operation: string, input: unknown): Promise<{ KeyMetadata: { KeyId: string } }> => {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
    const response = await fetch(server.plainUrl, { method: 'POST', headers, body: JSON.stringify(input) })
    return (await response.json()) as { KeyMetadata: { KeyId: string } }
  }
  const { KeyId } = (await aws('CreateKey', {})).KeyMetadata
  await aws('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 })
  await server.stop()
  const env = { TREFOIL_DATA_DIR: dataDir }
  const century = 100 * 365 * 86_400
  for (const seconds of [-century / 2, century]) {
    const found = await trefoil(cwd, ['doctor'], { ...env, ...clockShim(cwd, seconds) })
    t.match(found, { code: 1, out: /PROBLEM {2}clock: the clock says (19|20|21)\d\d-[\s\S]*NTP/ })
  }
  const later = await startTrefoil({ dataDir })
  const answer = await fetch(later.plainUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.DescribeKey' },
    body: JSON.stringify({ KeyId }),
  })
  t.match(await answer.json(), { KeyMetadata: { KeyState: 'PendingDeletion' } }, 'the key is still there')
  await later.stop()
})

t.test('doctor finds each problem and says what to do', async (t) => {
  const cwd = makeDirectory(t)
  const dataDir = join(cwd, 'data')
  const env = { TREFOIL_DATA_DIR: dataDir }
  const doctor = (more: Readonly<Record<string, string>> = {}): Promise<Result> =>
    trefoil(cwd, ['doctor'], { ...env, ...more })
  t.match(await doctor(), { code: 0 })
  t.notOk(existsSync(dataDir), 'looking makes nothing')
  mkdirSync(dataDir)
  t.match(await doctor(), { code: 0 })
  t.same(readdirSync(dataDir), [], 'not in a directory that waits for its server either')
  await trefoil(cwd, ['init'], env)
  const healthy = await doctor()
  t.match(healthy, { code: 0 })
  t.notMatch(healthy.out, 'PROBLEM')

  t.match(await doctor({ TREFOIL_PROFILE: 'prod' }), {
    code: 1,
    out: /PROBLEM {2}configuration[\s\S]*did you mean production/,
  })

  const squatter = createServer()
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
  const { port } = squatter.address() as { port: number }
  t.match(await doctor({ TREFOIL_PORT: String(port) }), {
    code: 1,
    out: /PROBLEM {2}port.*is taken[\s\S]*TREFOIL_PORT/,
  })
  squatter.close()

  const hsm = JSON.stringify([{ name: 'a', library: '/nowhere/libp11.so', tokenLabel: 't', pin: { env: 'PIN' } }])
  const noLibrary = await doctor({ TREFOIL_HSM: hsm, PIN: 'pin-0815' })
  t.match(noLibrary, { code: 1, out: /PROBLEM {2}hsm a: .*libp11\.so[\s\S]*hsm\.library/ })
  t.notMatch(noLibrary.out + noLibrary.err, '0815')
  t.match(await doctor({ TREFOIL_HSM: hsm }), { code: 1, out: /PROBLEM {2}hsm a: the PIN of hsm a is missing/ })

  renameSync(join(dataDir, 'root.key'), join(cwd, 'saved'))
  t.match(await doctor(), { code: 1, out: /root\.key is missing[\s\S]*backup/ })
  writeFileSync(join(dataDir, 'root.key'), Buffer.alloc(32, 1), { mode: 0o600 })
  t.match(await doctor(), { code: 1, out: /not the one that this data directory was made with[\s\S]*backup/ })
  writeFileSync(join(dataDir, 'root.key'), readFileSync(join(cwd, 'saved')))
  t.match(await doctor(), { code: 0 }, 'put right')
})

const softHsm = softHsmMissing === undefined ? {} : { skip: softHsmMissing }
t.test('doctor finds a token that is not there', softHsm, async (t) => {
  const cwd = makeDirectory(t)
  const token = await startSoftHsm()
  t.teardown(() => token.close())
  const [entry] = token.config.hsm
  const doctor = (change: Readonly<Record<string, unknown>>): Promise<Result> =>
    trefoil(cwd, ['doctor'], { ...token.env, TREFOIL_HSM: JSON.stringify([{ ...entry, ...change }]) })
  const good = await doctor({})
  t.match(good, { code: 0, out: /ok {7}hsm soft/ })
  t.match(good.out, /token trefoil-test, serial [0-9a-f]+, slot \d+: SoftHSM project/, 'which token')
  t.match(good.out, /ec_p256: ecdsa_sha256 ecdh\n/, 'what it does')
  t.match(good.out, /a mechanism is not listed: .*ml_dsa_65\/ml_dsa/, 'what it does not')
  t.match(good.out, /mechanisms 0x0000 .*0x1041/, 'its mechanisms')
  t.match(await doctor({ tokenLabel: 'nobody' }), {
    code: 1,
    out: /PROBLEM {2}hsm soft: no token fits[\s\S]*fix: .*hsm\.tokenLabel/,
  })
  const wrong = join(cwd, 'wrong-pin')
  writeFileSync(wrong, 'pin-0815')
  const refused = await doctor({ pin: { file: wrong } })
  t.match(refused, { code: 1, out: /PROBLEM {2}hsm soft: [\s\S]*fix: correct the PIN/ })
  t.notMatch(refused.out + refused.err, '0815')
})

// Root writes everywhere by a capability; without that it is refused by a directory's mode like anybody else.
const CAPABILITIES = '-dac_override,-dac_read_search'
const WITHOUT_OVERRIDE = ['setpriv', `--bounding-set=${CAPABILITIES}`, `--inh-caps=${CAPABILITIES}`]

t.test('doctor finds a directory that is not writable', async (t) => {
  const cwd = makeDirectory(t)
  const dataDir = join(cwd, 'sealed')
  mkdirSync(dataDir, { mode: 0o500 })
  const prefix = process.getuid?.() === 0 ? WITHOUT_OVERRIDE : []
  const refused = await trefoil(cwd, ['doctor'], { TREFOIL_DATA_DIR: dataDir }, prefix)
  t.match(refused, { code: 1, out: /PROBLEM.*not writable[\s\S]*TREFOIL_DATA_DIR/ })
})

t.test('a server: one line on stdout, one process per directory, a graceful end', async (t) => {
  const running = await startTrefoil()
  t.teardown(() => running.stop())
  t.match(
    running.readyLine,
    /^trefoil ready http:\/\/127\.0\.0\.1:\d+ https:\/\/localhost:\d+ aws=000000000000\/us-east-1 gcp=projects\/local\/locations\/global azure=00000000-0000-0000-0000-000000000001$/,
  )
  t.equal((await fetch(`${running.plainUrl}/_/health/ready`)).status, 200)
  t.ok(await running.logged(/UNSAFE/), 'that credentials are not checked is said')

  const cwd = makeDirectory(t)
  const env = { TREFOIL_DATA_DIR: running.dataDir }
  t.match(await trefoil(cwd, ['serve'], env), { code: 1, out: '', err: `in use by process ${running.pid}` })
  t.match(await trefoil(cwd, ['doctor'], env), { code: 1, out: /PROBLEM.*in use by process \d+/ })
  t.equal((await fetch(`${running.plainUrl}/_/health/ready`)).status, 200, 'which does not disturb it')
  t.equal(await running.stop(), 0)
})
