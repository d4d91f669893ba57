/** The local certificate authority: what it issues is good for every client, and is made anew only when it has to be. */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkServerIdentity, connect } from 'node:tls'
import t, { type Test } from 'tap'
import { localNames, localTls } from '../../src/api/http/tls.ts'
import { startServer } from './support.ts'

const NAMES = localNames('vault.localhost')
const directory = (t: Test): string => {
  const path = mkdtempSync(join(tmpdir(), 'trefoil-tls-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}
const issue = (path: string, names = NAMES) => localTls(path, names, 'TLSv1.2')
const leafOf = (path: string): X509Certificate => new X509Certificate(readFileSync(join(path, 'server.pem')))

t.test('OpenSSL accepts the chain for every name', async (t) => {
  const path = join(directory(t), 'tls')
  await issue(path)
  const verify = (...args: string[]): string =>
    execFileSync(
      'openssl',
      [
        'verify',
        '-x509_strict',
        '-purpose',
        'sslserver',
        '-CAfile',
        join(path, 'ca.pem'),
        ...args,
        join(path, 'server.pem'),
      ],
      { encoding: 'utf8' },
    )
  for (const name of [
    'localhost',
    'vault.localhost',
    'default.vault.localhost',
    'a-b.vault.azure.net',
    'x.managedhsm.azure.net',
  ]) {
    t.match(verify('-verify_hostname', name), 'OK', name)
  }
  for (const address of ['127.0.0.1', '::1']) t.match(verify('-verify_ip', address), 'OK', address)
  t.throws(() => verify('-verify_hostname', 'evil.test'))
  t.throws(() => verify('-verify_hostname', 'a.b.vault.localhost'))
  for (const name of ['ca.key', 'server.key']) t.equal(statSync(join(path, name)).mode & 0o777, 0o600, name)
  const leaf = leafOf(path)
  t.equal(leaf.ca, false)
  const days = (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 86_400_000
  t.ok(days <= 398, `${days} days`)
})

t.test('it is made anew when it does not serve, the authority only when it must be', async (t) => {
  const path = directory(t)
  const first = await issue(path)
  const again = await issue(path)
  t.same(again, first, 'kept')
  const moved = await issue(path, localNames('kv.test', ['kms.test', '10.0.0.1']))
  t.not(moved.material.cert, first.material.cert, 'other names')
  t.equal(moved.caPem, first.caPem)
  t.match(leafOf(path).subjectAltName, /DNS:\*\.kv\.test.*DNS:kms\.test.*IP Address:10\.0\.0\.1/)
  t.same(await issue(path), { ...first, material: (await issue(path)).material })

  truncateSync(join(path, 'server.pem'), 100)
  t.equal((await issue(path)).caPem, first.caPem, 'a cut certificate')
  t.ok(leafOf(path).checkIssued(new X509Certificate(first.caPem)))
  rmSync(join(path, 'server.key'))
  t.equal((await issue(path)).caPem, first.caPem, 'no key')
  writeFileSync(join(path, 'server.key'), readFileSync(join(path, 'ca.key')))
  await issue(path)
  t.not(
    readFileSync(join(path, 'server.key'), 'utf8'),
    readFileSync(join(path, 'ca.key'), 'utf8'),
    'the key of another',
  )
  rmSync(join(path, 'ca.key'))
  const other = await issue(path)
  t.not(other.caPem, first.caPem, 'an authority without its key')
  t.ok(leafOf(path).checkIssued(new X509Certificate(other.caPem)), 'issues the server’s anew')
})

t.test('clients that know the authority need no opt-out', async (t) => {
  const { server, tls } = await startServer(t)
  const ca = (await server.app.inject({ url: '/_/ca.pem', headers: { host: 'localhost' } })).body
  for (const servername of ['localhost', 'default.vault.localhost', 'x.vault.azure.net']) {
    const authorized = await new Promise((resolve, reject) => {
      const socket = connect({ port: tls.port, host: '127.0.0.1', servername, ca, checkServerIdentity }, () => {
        resolve(socket.authorized)
        socket.destroy()
      })
      socket.once('error', reject)
    })
    t.equal(authorized, true, servername)
  }
})
