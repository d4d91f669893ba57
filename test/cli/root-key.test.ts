/** The root key through its life: made, moved between every two kinds of place, escrowed, brought back. */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { constants, generateKeyPairSync, type KeyObject, privateDecrypt } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { type Config, loadConfig } from '../../src/config.ts'
import { compose, rotateRootKey, verifyInstallation } from '../../src/main.ts'
import type { Escrow } from '../../src/store/escrow.ts'
import { makeSoftHsm, type SoftHsm, softHsmMissing } from '../support/softhsm.ts'

const BIN = new URL('../../bin/trefoil.js', import.meta.url).pathname
const SHIM = new URL('../support/kill-shim.c', import.meta.url).pathname
const withSoftHsm = softHsmMissing === undefined ? {} : { skip: softHsmMissing }
const PASSPHRASES = { ONE: 'a first passphrase', OTHER: 'another passphrase' }

type Settings = Readonly<Record<string, unknown>>
type World = { readonly cwd: string; readonly token?: SoftHsm }

function makeDirectory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'trefoil-root-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function makeToken(t: Test): Promise<SoftHsm> {
  const token = await makeSoftHsm()
  t.teardown(() => token.close())
  return token
}

/** Writes trefoil.yaml. */
function configure({ cwd, token }: World, settings: Settings): string {
  const file = join(cwd, 'trefoil.yaml')
  const pin = { file: join(token?.directory ?? '', 'pin') }
  const hsm = token && [{ name: 'soft', library: token.library, tokenLabel: token.tokenLabel, pin }]
  const common = { dataDir: join(cwd, 'data'), port: 0, tlsPort: 0, log: { level: 'error' }, ...(hsm && { hsm }) }
  writeFileSync(file, JSON.stringify({ ...common, ...settings }))
  return file
}

async function trefoil(world: World, args: readonly string[], settings: Settings) {
  const { cwd, token } = world
  const env = { PATH: process.env.PATH ?? '', HOME: cwd, ...token?.env, ...PASSPHRASES }
  const command = [BIN, ...args, '--config', configure(world, settings)]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd, env })
    return { code: 0, out: stdout, err: '' }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, err: stderr }
  }
}

// Most of it in this process: a start for each step would take the most time.
Object.assign(process.env, PASSPHRASES)
const load = (world: World, settings: Settings): Config => {
  Object.assign(process.env, world.token?.env)
  return loadConfig({ file: configure(world, settings), env: {} })
}
const rotate = (world: World, settings: Settings): Promise<number> => rotateRootKey(load(world, settings))
const verify = (world: World, settings: Settings) => verifyInstallation(load(world, settings))
/** As `init` makes it and `doctor` tells it. */
async function describe(world: World, settings: Settings): Promise<string> {
  const server = await compose(load(world, settings))
  return server.rootKey().finally(() => server.stop())
}

t.test('moved from place to place', withSoftHsm, async (t) => {
  const world = { cwd: makeDirectory(t), token: await makeToken(t) }
  const places = [
    { type: 'file' },
    { type: 'passphrase', passphrase: { env: 'ONE' } },
    { type: 'passphrase', passphrase: { env: 'OTHER' } },
    { type: 'pkcs11', hsm: 'soft' },
    { type: 'pkcs11', hsm: 'soft', label: 'next' },
    { type: 'file', path: join(world.cwd, 'other.key') },
    { type: 'pkcs11', hsm: 'soft' },
    { type: 'passphrase', passphrase: { env: 'ONE' } },
  ]
  const [first] = places
  t.match(await trefoil(world, ['init'], { rootKey: first }), { code: 0, out: /is ready, root key in the file / })
  for (const [index, rootKey] of places.entries()) {
    const previousRootKey = places[index - 1]
    if (previousRootKey === undefined) continue
    const name = `${JSON.stringify(previousRootKey)} to ${JSON.stringify(rootKey)}`
    t.ok((await rotate(world, { rootKey, previousRootKey })) > 0, name)
    t.match(await verify(world, { rootKey }), { ok: true }, 'and everything opens')
  }
  const rootKey = places.at(-1)
  t.match(await trefoil(world, ['rotate-root'], { rootKey }), { code: 0, out: 'under it already' }, 'again is nothing')
  await t.rejects(
    verify(world, { rootKey: places[2] }),
    { message: /not the one that this data/ },
    'the old one is old',
  )
})

t.test('what cannot be moved stays', async (t) => {
  const world = { cwd: makeDirectory(t) }
  const rootKey = { type: 'passphrase', passphrase: { env: 'ONE' } }
  await t.rejects(rotate(world, { rootKey }), { message: /there is no installation/ })
  t.notOk(existsSync(join(world.cwd, 'data')), 'and none was made')
  await describe(world, {})
  await t.rejects(rotate(world, { rootKey }), { message: /previousRootKey does not say/ })
  const path = join(world.cwd, 'none.key')
  const from = () => rotate(world, { rootKey, previousRootKey: { type: 'file', path } })
  await t.rejects(from(), { message: /none\.key is missing/ })
  writeFileSync(path, Buffer.alloc(32, 1), { mode: 0o600 })
  await t.rejects(from(), { message: /not the one/, fix: /previousRootKey is not the one/ })
  const early = { rootKey, previousRootKey: { type: 'file' } }
  await t.rejects(verify(world, early), { message: /root\.params\.json is missing/ }, 'not moved yet')
  t.match(await verify(world, {}), { ok: true })
})

const noCompiler = spawnSync('cc', ['--version']).status !== 0 && 'no tool: a C compiler'

t.test('killed before each change of the disk', { skip: noCompiler }, async (t) => {
  const cwd = makeDirectory(t)
  const library = join(cwd, 'kill.so')
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, SHIM, '-ldl'])
  t.match(await trefoil({ cwd }, ['init'], {}), { code: 0 })
  cpSync(join(cwd, 'data'), join(cwd, 'before'), { recursive: true })
  const settings = { rootKey: { type: 'file', path: join(cwd, 'data', 'new.key') }, previousRootKey: { type: 'file' } }
  const file = configure({ cwd }, settings)
  const count = join(cwd, 'count')
  const restore = (): void => {
    rmSync(join(cwd, 'data'), { recursive: true })
    cpSync(join(cwd, 'before'), join(cwd, 'data'), { recursive: true })
  }
  const rotateAndKill = (at: number) =>
    spawnSync(process.execPath, [BIN, 'rotate-root', '--config', file], {
      env: { LD_PRELOAD: library, KILL_AT: String(at), KILL_COUNT: count },
    })
  t.equal(rotateAndKill(0).status, 0)
  const steps = statSync(count).size
  t.ok(steps > 8, `${steps} changes of the disk`)
  const config = load({ cwd }, settings)
  const outcomes = new Set<string>()
  const stride = process.env.TEST_LONG === undefined ? Math.ceil(steps / 4) : 1
  for (let at = steps; at > 0; at -= at > 1 && at <= stride ? at - 1 : stride) {
    restore()
    t.equal(rotateAndKill(at).signal, 'SIGKILL', `killed before change ${at}`)
    outcomes.add((await rotateRootKey(config)) === 0 ? 'had moved' : 'moved again')
    t.match(await verifyInstallation(config), { ok: true }, 'everything opens after the next run')
  }
  t.same([...outcomes].sort(), ['had moved', 'moved again'], 'before the commit, and after it')
})

const openCopy = (escrow: Escrow, index: number, key: KeyObject): Buffer =>
  privateDecrypt(
    { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    Buffer.from(escrow.copies[index]?.wrapped ?? '', 'base64'),
  )

t.test('in escrow', withSoftHsm, async (t) => {
  const cwd = makeDirectory(t)
  const world = { cwd, token: await makeToken(t) }
  const operators = [
    generateKeyPairSync('rsa', { modulusLength: 3072 }),
    generateKeyPairSync('rsa', { modulusLength: 3072 }),
  ]
  const publicKeys = operators.map(({ publicKey }, index) => {
    const path = join(cwd, `operator-${index}.pem`)
    writeFileSync(path, publicKey.export({ format: 'pem', type: 'spki' }))
    return path
  })
  const rootKey = { type: 'pkcs11', hsm: 'soft', escrow: { publicKeys } }
  const weak = join(cwd, 'weak.pem')
  writeFileSync(
    weak,
    generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'pem', type: 'spki' }),
  )
  for (const [path, err] of [
    [weak, /no RSA key of 3072 bits/],
    [join(cwd, 'none.pem'), /holds no public key/],
  ] as const) {
    const refused = describe(world, { rootKey: { ...rootKey, escrow: { publicKeys: [path] } } })
    await t.rejects(refused, { message: err })
  }
  t.match(await describe(world, { rootKey }), 'with copies for 2 operators')
  const told = await trefoil(world, ['doctor'], { rootKey })
  t.match(told, {
    code: 0,
    out: /root key put into the token of hsm soft, with copies for 2 operators in .*root\.escrow/,
  })
  const path = join(cwd, 'data', 'root.escrow.json')
  t.equal(statSync(path).mode & 0o777, 0o600)
  const escrow: Escrow = JSON.parse(readFileSync(path, 'utf8'))
  const [first, second] = operators.map(({ privateKey }, index) => openCopy(escrow, index, privateKey))
  t.ok(first?.length === 32 && second !== undefined && first.equals(second), 'each copy is of the whole key')
  writeFileSync(path, JSON.stringify({ ...escrow, check: Buffer.alloc(45, 1).toString('base64') }))
  await t.rejects(describe(world, { rootKey }), { message: /no copies in .*: they are of another key/ })
  writeFileSync(path, JSON.stringify(escrow))

  // The token is lost; one operator, with openssl, and a new token.
  const pem = join(cwd, 'operator.key')
  writeFileSync(pem, operators[1]?.privateKey.export({ format: 'pem', type: 'pkcs8' }) ?? '')
  const recovered = join(cwd, 'recovered.key')
  const oaep = ['-pkeyopt', 'rsa_padding_mode:oaep', '-pkeyopt', 'rsa_oaep_md:sha256', '-inkey', pem]
  const input = Buffer.from(escrow.copies[1]?.wrapped ?? '', 'base64')
  writeFileSync(recovered, execFileSync('openssl', ['pkeyutl', '-decrypt', ...oaep], { input }), { mode: 0o600 })
  const rebuilt = { cwd, token: await makeToken(t) }
  await t.rejects(verify(rebuilt, { rootKey }), { message: /holds no key labelled trefoil-root/ })
  const inside = { type: 'pkcs11', hsm: 'soft' }
  const previousRootKey = { type: 'file', path: recovered }
  t.ok((await rotate(rebuilt, { rootKey: inside, previousRootKey })) > 0)
  t.match(await describe(rebuilt, { rootKey: inside }), 'root key made in the token of hsm soft, and nowhere else')
  await t.rejects(describe(rebuilt, { rootKey }), { message: /made there, so that no copy/ }, 'escrow that comes late')
})
