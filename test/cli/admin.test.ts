/** Commands that look at a server and make keys in it, and the table that help and completion come from. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EncryptCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import t from 'tap'
import { runCommand } from '../../src/cli/admin.ts'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { KEY_SPEC_NAMES } from '../../src/core/algorithm.ts'
import { auditText } from '../support/audit.ts'
import { startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const makeFolder = (t: { teardown(done: () => void): void }): string => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-cli-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

const configOf = (dataDir: string): Config => loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } })

t.test('a running server’s realms, rings and keys', async (t) => {
  const folder = makeFolder(t)
  const trefoil = await startTrefoil()
  t.teardown(() => trefoil.stop())
  const { dataDir } = trefoil
  const cli = (...args: string[]) => runBin(folder, args, { TREFOIL_DATA_DIR: dataDir })
  const json = async (...args: string[]) => {
    const { code, out, err } = await cli(...args, '--json')
    if (code !== 0) throw new Error(err)
    return JSON.parse(out)
  }
  const status = await json('status')
  t.match(status, {
    state: 'ready',
    serving: true,
    pid: trefoil.pid,
    checks: { store: 'ok', audit: 'ok', software: 'ok' },
    counts: { realms: 1, rings: 1, keys: 0 },
  })
  t.match(await (await fetch(`${trefoil.plainUrl}/_/health/ready`)).json(), { status: 'ready', state: 'ready' })
  t.match(await cli('status'), { code: 0, out: /^state\s+ready\n/ })
  const [realm] = await json('realm', 'list')
  t.match(realm, { aws: '000000000000/us-east-1', gcp: 'projects/local/locations/global' })

  t.match(await json('ring', 'create', 'payments', '--dialect', 'aws', '--dialect', 'gcp'), {
    name: 'payments',
    dialects: ['aws', 'gcp'],
  })
  t.same(
    (await json('ring', 'list')).map(({ name }: { name: string }) => name),
    ['default', 'payments'],
  )

  const made = await json('key', 'create', 'signing', '--ring', 'payments', '--spec', 'ec_p256')
  t.match(made, { name: 'signing', ring: 'payments', spec: 'ec_p256', purpose: 'sign_verify', state: 'enabled' })
  t.equal(made.names.gcp, 'projects/local/locations/global/keyRings/payments/cryptoKeys/signing')
  t.notOk(made.names.azure, 'the ring is not seen there')
  const client = new KMSClient({
    endpoint: trefoil.plainUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  })
  t.teardown(() => client.destroy())
  const sign = () =>
    client.send(
      new SignCommand({ KeyId: made.names.aws, Message: Buffer.from('m'), SigningAlgorithm: 'ECDSA_SHA_256' }),
    )
  t.ok((await sign()).Signature, 'AWS’s client signs with it')
  const byName = 'payments/signing'
  t.match(await json('key', 'disable', byName), { state: 'disabled' })
  await t.rejects(sign(), { name: 'DisabledException' })
  t.match(await json('key', 'enable', made.id), { state: 'enabled' })
  t.match(await json('key', 'rotate', byName), { version: 2 })
  t.match(await json('key', 'delete', byName, '--days', '7'), { state: 'pending_deletion' })
  await t.rejects(sign(), { name: 'KMSInvalidStateException' })
  t.match(await json('key', 'undelete', byName), { state: 'enabled' })
  t.match(await json('key', 'show', byName), { versions: [{ number: 1 }, { number: 2 }] })
  t.match(await cli('key', 'show', byName), { code: 0, out: /version 2\s+enabled, .*, current\n/ })
  const plain = await json('key', 'create')
  t.ok((await client.send(new EncryptCommand({ KeyId: plain.id, Plaintext: Buffer.from('x') }))).CiphertextBlob)
  t.same((await json('key', 'list', '--ring', 'payments')).length, 1)
  t.same((await json('key', 'list', '--realm', realm.id)).length, 2)
  t.same((await json('key', 'list', '--realm', 'aws:000000000000/us-east-1')).length, 2)

  const signing = { name: 'x', spec: 'ec_p256' }
  for (const [wire, body, message] of [
    ['key create', { ...signing, spec: 'ec_p999' }, /spec: /],
    ['key create', { ...signing, ring: 'nowhere' }, /ring_not_found/],
    ['key create', { ...signing, purpose: 'mac' }, /purpose: /],
    ['key create', { ...signing, name: plain.id }, /name_reserved/],
    ['key create', { ...signing, name: 'signing', ring: 'payments' }, /key_exists/],
    ['key create', { ...signing, protection: 'hsm' }, /unsupported_spec/],
    ['key create', { ...signing, name: 'a/b' }, /name: 1 to 63 letters/],
    ['key show', { key: 'a/b/c' }, /key: not a UUID/],
    ['key show', { key: 'nobody' }, /key_not_found/],
    ['key delete', { key: byName, days: 6 }, /days: /],
    ['key list', { realm: 'mars' }, /realm: not the id/],
    ['key list', { limit: 0 }, /limit: /],
    ['ring create', { name: 'payments' }, /ring_exists/],
  ] as const) {
    await t.rejects(runCommand(configOf(dataDir), wire, body), { message }, `${wire} ${JSON.stringify(body)}`)
  }
  t.match(await cli('key', 'delete', byName, '--days', 'many'), { code: 1, out: '', err: /days: / })
  t.match(await cli('key', 'show'), { code: 2, err: 'key show needs KEY' })
  t.match(auditText(dataDir), /"wire":"key create".*"method":"socket".*"outcome":"ok"/)
})

t.test('keys of every spec', async (t) => {
  const folder = makeFolder(t)
  t.match(await runBin(folder, ['key', 'list']), { code: 1, err: /there is no installation/ })
  const trefoil = await startTrefoil()
  t.teardown(() => trefoil.stop())
  for (const spec of KEY_SPEC_NAMES.filter((name) => name !== 'rsa_3072' && name !== 'rsa_4096')) {
    const made = await runCommand(configOf(trefoil.dataDir), 'key create', { name: spec, spec })
    t.match(made, { name: spec, spec, state: 'enabled', version: 1 })
  }
})

t.test('help, completion and settings come without a server', async (t) => {
  const folder = makeFolder(t)
  const cli = (...args: string[]) => runBin(folder, args)
  const { out } = await cli('--help')
  for (const { name } of COMMANDS) t.match(out, new RegExp(`^ {2}${name} `, 'm'), name)
  t.match(await cli('key', '--help'), { code: 0, out: /usage: trefoil key \[options\][\s\S]*key rotate KEY/ })
  t.match(await cli('key', 'create', '--help'), {
    code: 0,
    out: /usage: trefoil key create \[NAME\][\s\S]*--spec SPEC/,
  })
  t.match(await cli('nonsense', '--help'), { code: 2, err: /no command "nonsense"/ })
  for (const { name, examples, summary } of COMMANDS) {
    t.ok(examples.every((line) => line.includes(`trefoil ${name}`)) && examples.length > 0, `example of ${name}`)
    t.ok(summary.length > 0, name)
  }
  const script = (await cli('completion', 'bash')).out
  const complete = (...words: string[]) =>
    execFileSync('bash', [
      '-c',
      `${script}\nCOMP_WORDS=(trefoil ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _trefoil; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ])
      .toString()
      .split('\n')
  t.match(complete('ke'), ['key'])
  t.match(complete('key', 'cr'), ['create'])
  t.ok(complete('key', 'create', '--s').includes('--spec'))
  t.ok(complete('key', 'create', '--spec', 'ec').includes('ec_p256'))
  t.ok(complete('status', '--').includes('--json'))
  t.match(await cli('completion', 'fish'), { code: 0, out: /-a rotate-root / })
  t.match(await cli('completion', 'zsh'), { code: 0, out: /^#compdef trefoil\n/ })
  t.match(await cli('completion', 'ksh'), { code: 1, err: /take one of bash, zsh, fish/ })
  t.match(await cli('config', 'check'), { code: 0, out: /^settings are in order: profile dev/ })
  t.match(await runBin(folder, ['config', 'check'], { TREFOIL_PROFILE: 'production' }), { code: 1, err: /file/ })
})
