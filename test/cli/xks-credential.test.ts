/** The file that AWS's console takes, and what is said where it can't be made. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runBin } from './run.ts'

const ID = 'AAAAAAAAAAAAAAAAAAAA'
const OTHER = 'BBBBBBBBBBBBBBBBBBBB'
type Written = {
  readonly XksProxyUriPath: string
  readonly XksProxyAuthenticationCredential: { readonly AccessKeyId: string; readonly RawSecretAccessKey: string }
}

function setUp(t: { teardown(handler: () => unknown): void }) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-xks-credential-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const at = (name: string): string => join(directory, name)
  const credentials = [
    { accessKeyId: ID, secret: { file: at('first') } },
    { accessKeyId: OTHER, secret: { file: at('second') } },
  ]
  const exposure = { protocol: 'xks', name: 'payments', prefix: 'tenant-1', credentials, keys: [] }
  const config = { listeners: [{ port: 0, dialects: ['xks'] }], exposures: [exposure] }
  writeFileSync(at('trefoil.yaml'), JSON.stringify(config))
  const env = { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' }
  const run = (...args: string[]) => runBin(directory, ['xks', 'credential', ...args], env)
  const read = (name: string) => JSON.parse(readFileSync(at(name), 'utf8')) as Written
  const modeOf = (name: string): number => statSync(at(name)).mode & 0o777
  return { at, run, read, modeOf }
}

t.test('of a credential whose secret is made for it', async (t) => {
  const { at, run, read, modeOf } = setUp(t)
  const { code, out, err } = await run('payments')
  t.equal(code, 0, err)
  const written = read('payments.xks.json')
  const secret = readFileSync(at('second'), 'utf8').trim()
  t.same(written, {
    XksProxyUriPath: '/tenant-1/kms/xks/v1',
    XksProxyAuthenticationCredential: { AccessKeyId: OTHER, RawSecretAccessKey: secret },
  })
  t.match(secret, /^[A-Za-z0-9+/=]{43,64}$/)
  t.same([modeOf('payments.xks.json'), modeOf('second')], [0o600, 0o600])
  t.notMatch(out + err, secret, 'which is not printed')
  t.match(out, OTHER)
  const again = await run('payments')
  t.equal(again.code, 1)
  t.match(again.err, /payments\.xks\.json is there already/)
  t.equal((await run('payments', '--out', 'again.json')).code, 0)
  t.same(read('again.json'), written, 'the secret stays what it is')
})

t.test('of a credential that is named', async (t) => {
  const { at, run, read } = setUp(t)
  writeFileSync(at('first'), `${'s'.repeat(43)}\n`)
  t.equal((await run('payments', '--access-key-id', ID)).code, 0)
  t.same(read('payments.xks.json').XksProxyAuthenticationCredential, {
    AccessKeyId: ID,
    RawSecretAccessKey: 's'.repeat(43),
  })
  t.match((await run('payments', '--access-key-id', 'CCC', '--out', 'x')).err, /has no access key CCC/)
})

t.test('of another one', async (t) => {
  const { run, read, modeOf } = setUp(t)
  const { code, out, err } = await run('payments', '--new')
  t.equal(code, 0, err)
  const { AccessKeyId, RawSecretAccessKey } = read('payments.xks.json').XksProxyAuthenticationCredential
  t.match(AccessKeyId, /^[A-Z2-7]{20,30}$/)
  t.match(out, `- { accessKeyId: ${AccessKeyId}, secret: { file: `)
  t.equal(modeOf(`payments-${AccessKeyId}.secret`), 0o600)
  t.notMatch(out, RawSecretAccessKey)
  t.match((await run('payments', '--new', '--access-key-id', ID)).err, /of its own/)
})

t.test('where there is none', async (t) => {
  const { at, run } = setUp(t)
  const typo = await run('payment')
  t.equal(typo.code, 1)
  t.match(typo.err, /no exposure "payment" of protocol xks\n.*did you mean payments\?/)
  writeFileSync(at('second'), 'short')
  t.match((await run('payments')).err, /the secret access key of B+ is not 43 to 64 characters/)
})
