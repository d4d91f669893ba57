/** Backups of a running server: taken, verified, restored elsewhere; cut short, damaged, and opened with the wrong key. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import {
  DecryptCommand,
  EncryptCommand,
  GetPublicKeyCommand,
  KMSClient,
  ScheduleKeyDeletionCommand,
  SignCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms'
import t, { type Test } from 'tap'
import { newRecoveryKey } from '../../src/backup/age.ts'
import { runCommand } from '../../src/cli/admin.ts'
import { backupsIn, chainOf, fileOf, identitiesOf, takeBackup } from '../../src/cli/backup.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { testRestore } from '../../src/main.ts'
import { auditText } from '../support/audit.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const makeFolder = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-backup-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
const configOf = (dataDir: string): Config => loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } })
const clientOf = (t: Test, { plainUrl }: RunningTrefoil): KMSClient => {
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
  const client = new KMSClient({ endpoint: plainUrl, region: 'us-east-1', credentials })
  t.teardown(() => client.destroy())
  return client
}

async function recoveryKey(folder: string, name: string): Promise<string> {
  const { identity, recipient } = await newRecoveryKey(name === 'pq')
  writeFileSync(join(folder, `${name}.key`), `# a comment\n${identity}\n`)
  return recipient
}

type Kept = { readonly id: string; readonly ciphertext?: Uint8Array; readonly signature?: Uint8Array }
const MESSAGE = Buffer.from('kept')
const SIGNING = { Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' } as const

/** Two keys, and something made with each. */
async function useKeys(dataDir: string, client: KMSClient): Promise<readonly Kept[]> {
  const make = async (spec: string) => (await runCommand(configOf(dataDir), 'key create', { spec })) as { id: string }
  const [aes, ec] = [await make('aes_256'), await make('ec_p256')]
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: aes.id, Plaintext: MESSAGE }))
  const { Signature } = await client.send(new SignCommand({ KeyId: ec.id, ...SIGNING }))
  if (CiphertextBlob === undefined || Signature === undefined) throw new Error('no answer')
  return [
    { id: aes.id, ciphertext: CiphertextBlob },
    { id: ec.id, signature: Signature },
  ]
}

async function opensAll(t: Test, client: KMSClient, kept: readonly Kept[]): Promise<void> {
  for (const { id, ciphertext, signature } of kept) {
    if (ciphertext !== undefined) {
      const { Plaintext = new Uint8Array(0) } = await client.send(new DecryptCommand({ CiphertextBlob: ciphertext }))
      t.equal(Buffer.compare(Plaintext, MESSAGE), 0, `a ciphertext of ${id} opens`)
    }
    if (signature !== undefined) {
      const verified = await client.send(new VerifyCommand({ KeyId: id, ...SIGNING, Signature: signature }))
      t.ok(verified.SignatureValid)
      t.ok((await client.send(new SignCommand({ KeyId: id, ...SIGNING }))).Signature, `${id} signs`)
    }
  }
}

t.test('taken of a running server, restored on another machine', async (t) => {
  const folder = makeFolder(t)
  const recipients = [await recoveryKey(folder, 'one')]
  await recoveryKey(folder, 'other')
  const config = { backup: { recipients } }
  const trefoil = await startTrefoil({ config, dataDir: join(folder, 'first') })
  t.teardown(() => trefoil.kill())
  const { dataDir } = trefoil
  const cli = (...args: string[]) => runBin(folder, args, { TREFOIL_DATA_DIR: dataDir })
  const client = clientOf(t, trefoil)
  const first = await useKeys(dataDir, client)
  await runCommand(configOf(dataDir), 'key create', { name: 'raw', spec: 'aes_256', purpose: 'raw_encrypt_decrypt' })

  t.match(await cli('backup', 'create', '--to', 'kept', '--incremental'), { code: 1, err: /no backup in kept/ })
  const full = await cli('backup', 'create', '--to', 'kept', '--json')
  t.match(full, { code: 0, err: '' })
  const { signer, id } = JSON.parse(full.out)
  const second = await useKeys(dataDir, client)
  const inc = JSON.parse((await cli('backup', 'create', '--to', 'kept', '--incremental', '--json')).out)
  t.match(inc, { kind: 'inc', signer })
  t.match(JSON.parse((await cli('status', '--json')).out), { counts: { lastBackup: { id: inc.id } } })
  t.match(await cli('backup', 'list', '--in', 'kept'), { out: /full .*full.*\n.*incremental .*inc/ })
  t.notOk(readFileSync(join(folder, inc.file)).includes('key create'), 'it is encrypted')

  t.test('verified', async (t) => {
    t.match(await cli('backup', 'verify', 'kept', '--identity', 'one.key'), {
      code: 0,
      out: /opened\s+5 versions of 5 keys, 1 rings/,
    })
    t.match(await cli('backup', 'verify', 'kept', '--identity', 'other.key'), {
      code: 1,
      out: '',
      err: /does not open/,
    })
    t.match(await cli('backup', 'verify', 'kept'), { code: 1, err: /--identity is missing/ })
    t.match(await cli('backup', 'verify', 'kept', '--identity', 'one.key', '--signer', id), {
      code: 1,
      err: /another installation made the backup/,
    })
    t.strictSame(
      readdirSync(tmpdir()).filter((name) => name.startsWith('trefoil-verify-')),
      [],
    )
  })

  const [aes] = second
  const late = await useKeys(dataDir, client)
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: aes?.id, PendingWindowInDays: 7 }))
  await trefoil.kill()

  t.test('with another root key, and what is lost said', async (t) => {
    const target = {
      TREFOIL_DATA_DIR: join(folder, 'second'),
      ONE: 'a long passphrase',
      TREFOIL_ROOT_KEY_TYPE: 'passphrase',
    }
    const env = { ...target, TREFOIL_ROOT_KEY_PASSPHRASE_ENV: 'ONE' }
    const restored = await runBin(
      folder,
      ['restore', 'kept', '--identity', 'one.key', '--signer', signer, '--audit', join(dataDir, 'audit'), '--json'],
      env,
    )
    t.match(restored, { code: 0, err: '' })
    const report = JSON.parse(restored.out)
    t.match(report, { rootKey: 'root key from a passphrase', countsForwarded: 1, newer: [] })
    const changes = report.lost.changes.map(({ operation, key }: { operation: string; key: string }) => [
      operation,
      key,
    ])
    t.strictSame(
      changes,
      [
        ['CompleteBackup', undefined],
        ...late.map((one) => ['CreateKey', one.id]),
        ['ScheduleDeletion', aes?.id],
      ].filter(([operation]) => operation !== 'CompleteBackup'),
    )
    t.match(await runBin(folder, ['restore', 'kept', '--identity', 'one.key'], env), { code: 1, err: /is not empty/ })
    const again = await startTrefoil({ dataDir: target.TREFOIL_DATA_DIR, env })
    t.teardown(() => again.kill())
    const there = clientOf(t, again)
    await opensAll(t, there, [...first, ...second])
    const [lost] = late
    await t.rejects(there.send(new GetPublicKeyCommand({ KeyId: lost?.id })), { name: 'NotFoundException' })
    await again.kill()
    t.match(await runBin(folder, ['audit', 'verify'], env), { code: 0, out: /records verified/ })
    t.match(auditText(target.TREFOIL_DATA_DIR), /"operation":"RestoreBackup"/)
  })

  t.test('an older one, and after having been cut short', async (t) => {
    const env = { TREFOIL_DATA_DIR: join(folder, 'third') }
    const older = backupsIn(join(folder, 'kept'))[0]?.name ?? ''
    const args = ['restore', join('kept', older), '--identity', 'one.key']
    const bin = new URL('../../bin/trefoil.js', import.meta.url).pathname
    for (const delay of [300, 700, 1100]) {
      const child = spawn(process.execPath, [bin, ...args], {
        cwd: folder,
        env: { PATH: process.env.PATH, ...env },
        stdio: 'ignore',
      })
      const ended = once(child, 'exit')
      await new Promise((resolve) => setTimeout(resolve, delay))
      child.kill('SIGKILL')
      await ended
      if (existsSync(join(env.TREFOIL_DATA_DIR, 'trefoil.db'))) break
    }
    const restored = await runBin(folder, args, env)
    // Whole already where none of the blows came in time.
    if (restored.code === 0) t.match(restored.out, /newer backups are there: .*-inc-/)
    else t.match(restored.err, /is not empty: there is /)
    const again = await startTrefoil({ dataDir: env.TREFOIL_DATA_DIR })
    t.teardown(() => again.kill())
    await opensAll(t, clientOf(t, again), first)
  })
})

t.test('damaged', async (t) => {
  const folder = makeFolder(t)
  const recipients = [await recoveryKey(folder, 'pq')]
  const trefoil = await startTrefoil({ config: { backup: { recipients } } })
  t.teardown(() => trefoil.stop())
  const { dataDir } = trefoil
  for (let made = 0; made < 40; made++) {
    await runCommand(configOf(dataDir), 'key create', { spec: 'aes_256', description: 'x'.repeat(8000) })
  }
  const kept = join(folder, 'kept')
  const { file } = await takeBackup(configOf(dataDir), kept, false)
  await runCommand(configOf(dataDir), 'ring create', { name: 'later' })
  const inc = await takeBackup(configOf(dataDir), kept, true)
  const whole = readFileSync(file)
  t.ok(inc.bytes < whole.length / 2, 'an increment has what changed')
  const chunk = 64 * 1024 + 16
  const start = whole.length - (Math.floor((whole.length - 200) / chunk) - 1) * chunk
  t.ok(whole.length > start + chunk, 'it has several chunks')
  const flipped = Buffer.from(whole)
  flipped[start] = (flipped[start] ?? 0) ^ 1
  const head = Buffer.from(whole)
  head[60] = (head[60] ?? 0) ^ 1
  const cases: Readonly<Record<string, Buffer>> = {
    'a bit of it changed': flipped,
    'its head changed': head,
    'cut short': whole.subarray(0, whole.length - 1),
    'cut short by a chunk': whole.subarray(0, whole.length - chunk),
    longer: Buffer.concat([whole, Buffer.of(0)]),
    'no more than its head': whole.subarray(0, 100),
    empty: Buffer.alloc(0),
    'something else': Buffer.from('not a backup at all'),
  }
  const bad = join(folder, 'bad')
  mkdirSync(bad)
  const verify = async (path: string) => {
    const identities = identitiesOf(join(folder, 'pq.key'))
    const sources = await chainOf(fileOf(path), identities)
    return testRestore(configOf(join(folder, 'nothing')), { sources, identities }, folder)
  }
  for (const [what, bytes] of Object.entries(cases)) {
    const path = join(bad, 'x.age')
    writeFileSync(path, bytes)
    await t.rejects(verify(path), { message: /does not open|no whole backup/, fix: /another/ }, what)
  }
  t.match((await verify(kept)).seals, { versions: 40, problems: [] })
  t.notOk(existsSync(join(folder, 'nothing')))
  cpSync(inc.file, join(bad, basename(inc.file)))
  await t.rejects(verify(bad), { message: /goes on from the backup/ })
  // Another full backup cannot stand in for the one that it goes on from.
  const other = await takeBackup(configOf(dataDir), join(folder, 'other'), false)
  cpSync(other.file, join(bad, basename(file)))
  await t.rejects(verify(bad), { message: /goes on from another backup/ })
})

t.test('cut short while it is taken', async (t) => {
  const folder = makeFolder(t)
  const dataDir = join(folder, 'data')
  mkdirSync(dataDir)
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    const facts = JSON.stringify({
      id: 'a'.repeat(32),
      kind: 'full',
      name: `20260101T000000Z-full-${'a'.repeat(32)}.trefoil.age`,
    })
    response.writeHead(200, { 'x-trefoil-facts': facts })
    response.write('half of it')
    if (asked === 1) setImmediate(() => response.destroy())
  })
  t.teardown(() => server.close().closeAllConnections())
  await once(server.listen(join(dataDir, 'trefoil.sock')), 'listening')
  const to = join(folder, 'kept')
  await t.rejects(takeBackup(configOf(dataDir), to, false), { message: /no backup was made/ })
  t.strictSame(readdirSync(to), [])

  const bin = new URL('../../bin/trefoil.js', import.meta.url).pathname
  const child = spawn(process.execPath, [bin, 'backup', 'create', '--to', to], {
    cwd: folder,
    env: { PATH: process.env.PATH, TREFOIL_DATA_DIR: dataDir },
  })
  const ended = once(child, 'exit')
  while (readdirSync(to).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGKILL')
  await ended
  t.match(readdirSync(to), [/\.partial$/])
  t.strictSame(backupsIn(to), [], 'what has no end is none')
})

t.test('refused', async (t) => {
  const folder = makeFolder(t)
  const trefoil = await startTrefoil()
  t.teardown(() => trefoil.stop())
  const cli = (...args: string[]) => runBin(folder, args, { TREFOIL_DATA_DIR: trefoil.dataDir })
  t.match(await cli('backup', 'create', '--to', 'x'), { code: 1, err: /no recovery key is configured/ })
  t.match(await cli('restore', 'nowhere', '--identity', 'x'), { code: 1, err: /x cannot be read/ })
  t.match(await cli('backup', 'keygen', '--out', 'r.key'), { code: 0, out: /^age1[a-z0-9]+\n$/ })
  t.match(await cli('backup', 'keygen', '--out', 'r.key'), { code: 1, err: /there already/ })
  t.match(await cli('restore', '.', '--identity', 'r.key'), { code: 1, err: /there is no backup in \./ })
  const names = ['20250101T000000Z-full-', '20250102T000000Z-inc-', '20250301T000000Z-full-', '20250302T000000Z-full-']
  mkdirSync(join(folder, 'old'))
  for (const name of names) writeFileSync(join(folder, 'old', `${name}${'b'.repeat(32)}.trefoil.age`), '')
  t.match(await cli('backup', 'prune', '--in', 'old', '--dry-run'), { code: 0, out: /3 of|1 kept|kept/ })
  t.equal(readdirSync(join(folder, 'old')).length, 4)
  t.match(await cli('backup', 'prune', '--in', 'old', '--days', '30'), { code: 0, out: /\n1 kept\n$/ })
  t.match(readdirSync(join(folder, 'old')), [/^20250302/], 'the newest stays however old it is')
})
