/** Whom a request is from: client certificates, and proxies in front that tell. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https, { type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { ProxyRules } from '../../src/api/http/proxy.ts'
import { Authority } from '../support/pki.ts'
import { openHttp2, startServer, testSurface } from './support.ts'

// biome-ignore lint/suspicious/noExplicitAny: what the surface tells of the request
type Told = any

const surface = testSurface('aws', (app) => app.get('/who', async (request) => request.client))

function directoryOf(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'trefoil-client-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

function ask(url: string, options: RequestOptions = {}): Promise<Told> {
  const client = url.startsWith('https:') ? https : http
  return new Promise((resolve, reject) => {
    const request = client.get(`${url}/who`, { agent: false, ...options }, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString()
      resolve(response.statusCode === 200 ? JSON.parse(text) : { status: response.statusCode, text })
    })
    request.once('error', reject)
  })
}

async function startMutual(t: Test) {
  const directory = directoryOf(t)
  const root = await Authority.root(directory, 'root one')
  const server = await root.issue('server', { use: 'server', names: ['localhost', '127.0.0.1'] })
  const clientCa = join(directory, 'clients.pem')
  writeFileSync(clientCa, root.cert)
  const tls = { cert: server.certFile, key: server.keyFile, clientCa }
  const env = { TREFOIL_LISTENERS: JSON.stringify([{ address: '127.0.0.1', port: 0, tls }]) }
  const started = await startServer(t, { surfaces: [surface], env })
  return { ...started, directory, root, clientCa, options: { ca: root.cert } }
}

t.test('a client certificate and what it says', async (t) => {
  const { tls, root, options } = await startMutual(t)
  const names = ['Client.Example.org', 'spiffe://example.org/a,%20DNS:evil.example', 'ops@example.org', '192.0.2.7']
  const client = await root.issue('client', { commonName: 'pool.managedhsmclient.azure.net', names })
  const told = await ask(tls.url, { ...options, cert: client.cert, key: client.key })
  t.match(told, {
    address: '127.0.0.1',
    secure: true,
    tlsVersion: 'TLSv1.3',
    certificate: {
      commonName: 'pool.managedhsmclient.azure.net',
      fingerprint: /^[0-9a-f]{64}$/,
      names: {
        dns: ['client.example.org'],
        uri: ['spiffe://example.org/a,%20DNS:evil.example'],
        email: ['ops@example.org'],
      },
    },
  })
  t.equal(told.certificate.issuers.length, 1)
  t.same(
    (await ask(tls.url, { ...options, cert: client.cert, key: client.key, maxVersion: 'TLSv1.2' })).tlsVersion,
    'TLSv1.2',
  )
  const { ask: ask2 } = await openHttp2(t, tls.url, { ...options, cert: client.cert, key: client.key })
  t.same(JSON.parse((await ask2('/who')).body), told, 'by HTTP/2 the same')
  const two = await root.issue('two', { commonName: ['a', 'b'] })
  const twice = await ask(tls.url, { ...options, cert: two.cert, key: two.key })
  t.equal(twice.certificate.commonName, undefined, 'two names are none')
  t.match(twice.certificate.names, { dns: [], uri: [], email: [] })
})

t.test('without a good certificate nobody gets in', async (t) => {
  const { tls, root, options, directory } = await startMutual(t)
  const other = await Authority.root(directory, 'root two')
  const same = await Authority.root(directoryOf(t), 'root one')
  const bad = {
    none: {},
    'of another authority': await other.issue('foreign'),
    'of an authority that has the same name': await same.issue('namesake'),
    expired: await root.issue('expired', { from: -2, until: -1 }),
    'not yet valid': await root.issue('early', { from: 1 }),
    "of a server's": await root.issue('wrong-use', { use: 'server' }),
  }
  for (const [name, { cert, key }] of Object.entries<{ cert?: string; key?: string }>(bad)) {
    await t.rejects(ask(tls.url, { ...options, ...(cert && key ? { cert, key } : {}) }), name)
    await t.rejects(ask(tls.url, { ...options, maxVersion: 'TLSv1.2', ...(cert && key ? { cert, key } : {}) }), name)
  }
  await t.rejects(ask(tls.url, { ...options, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }), 'TLS 1.1')
})

/** Connects by a session of before, where the server still takes it. */
async function askAgain(port: number, options: object, session?: Buffer) {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options, ...(session && { session }) })
  let ticket: Buffer | undefined
  socket.on('session', (given: Buffer) => {
    ticket = given
  })
  await once(socket, 'secureConnect')
  const reused = socket.isSessionReused()
  socket.write('GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  const text = Buffer.concat(await socket.toArray()).toString()
  const told: Told = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4))
  return { told, reused, session: ticket }
}

t.test('an authority in between, and a session that is resumed', async (t) => {
  const { server, tls, root, options, clientCa } = await startMutual(t)
  const between = await root.intermediate('in between')
  const client = await between.issue('below')
  const shown = { ...options, key: client.key, cert: client.cert + between.cert }
  t.equal((await askAgain(tls.port, shown)).told.certificate, undefined, 'one that is not known')
  writeFileSync(clientCa, between.cert + root.cert)
  ;(await server.readCertificates())()
  const first = await askAgain(tls.port, shown)
  t.equal(first.told.certificate.issuers.length, 2)
  t.equal(first.reused, false)
  const again = await askAgain(tls.port, shown, first.session)
  t.equal(again.reused, true)
  t.same(again.told, first.told)
  ;(await server.readCertificates())()
  t.equal((await askAgain(tls.port, shown, first.session)).reused, false, 'a reload ends sessions')
})

t.test('an authority that is taken away is so at once, on open connections too', async (t) => {
  const { server, tls, root, options, directory, clientCa } = await startMutual(t)
  const other = await Authority.root(directory, 'root two')
  const [old, fresh] = [await root.issue('old'), await other.issue('fresh')]
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ...options, cert: old.cert, key: old.key })
  t.teardown(() => agent.destroy())
  t.equal((await ask(tls.url, { agent })).certificate.commonName, 'old')
  writeFileSync(clientCa, other.cert)
  ;(await server.readCertificates())()
  t.equal((await ask(tls.url, { agent })).certificate, undefined, 'the connection stays, its client is nobody')
  await t.rejects(ask(tls.url, { ...options, cert: old.cert, key: old.key }))
  t.equal((await ask(tls.url, { ...options, cert: fresh.cert, key: fresh.key })).certificate.commonName, 'fresh')
  for (const [text, message] of [
    ['nothing', 'has no certificate'],
    [fresh.cert, 'of no authority'],
    [(await other.intermediate('middle')).cert, 'has no root authority'],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'is not PEM'],
  ] as const) {
    writeFileSync(clientCa, text)
    await t.rejects(server.readCertificates(), { message })
  }
  t.equal((await ask(tls.url, { ...options, cert: fresh.cert, key: fresh.key })).certificate.commonName, 'fresh')
})

async function startProxied(t: Test, more: object = {}) {
  const listener = { address: '127.0.0.1', port: 0, behindProxy: true, ...more }
  const auth = { TREFOIL_AUTH_AWS: 'enforce', TREFOIL_AUTH_AZURE: 'enforce', TREFOIL_AUTH_GCP: 'enforce' }
  const env = { ...auth, TREFOIL_LISTENERS: JSON.stringify([listener]) }
  return startServer(t, { surfaces: [surface], env })
}

t.test('who is not a trusted proxy is taken for the client, whatever he says', async (t) => {
  for (const more of [{}, { trustedProxies: ['192.0.2.0/24', '::/1'] }]) {
    const { plain } = await startProxied(t, more)
    const headers = { 'x-forwarded-for': '198.51.100.1', 'x-forwarded-proto': 'https', forwarded: 'for=198.51.100.1' }
    t.same(await ask(plain.url, { headers }), { address: '127.0.0.1', secure: false })
  }
})

t.test('a trusted proxy tells address, scheme and certificate', async (t) => {
  const directory = directoryOf(t)
  const root = await Authority.root(directory, 'clients')
  const client = await root.issue('client')
  const stranger = await (await Authority.root(directory, 'others')).issue('stranger')
  const { plain } = await startProxied(t, {
    trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
    clientCertificate: { header: 'Client-Cert', ca: root.certFile },
  })
  const der = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '')
  const headers = (more: object) => ({ 'x-forwarded-for': '198.51.100.1', 'x-forwarded-proto': 'https', ...more })
  t.same(await ask(plain.url, { headers: headers({}) }), { address: '198.51.100.1', secure: true })
  for (const value of [
    `:${der(client.cert)}:`,
    encodeURIComponent(client.cert),
    der(client.cert),
    `By=spiffe://x;Hash=00;Cert="${encodeURIComponent(client.cert)}";Subject="CN=other"`,
    `Cert="${encodeURIComponent(stranger.cert)}",Cert="${encodeURIComponent(client.cert)}"`,
  ]) {
    const told = await ask(plain.url, { headers: headers({ 'client-cert': value }) })
    t.match(told, { secure: true, certificate: { commonName: 'client' } }, value.slice(0, 20))
  }
  for (const value of [
    `:${der(stranger.cert)}:`,
    `:${der(client.cert)}:, :${der(client.cert)}:`,
    `:${der(client.cert).slice(4)}:`,
    '%zz',
    'CN=client',
    'Subject="CN=client"',
    '',
  ]) {
    const told = await ask(plain.url, { headers: headers({ 'client-cert': value }) })
    t.same(told, { address: '198.51.100.1', secure: true }, value.slice(0, 20))
  }
})

t.test('chains of proxies', async (t) => {
  const trusted = ['10.0.0.0/8', '2001:db8::/32']
  const read = (how: 'x-forwarded' | 'forwarded', headers: Record<string, string>, peer = '10.0.0.1') =>
    new ProxyRules({ trusted, headers: how }).read(headers, peer)
  const x = (list: string, more: Record<string, string> = {}) =>
    read('x-forwarded', { 'x-forwarded-for': list, ...more })
  t.same(x('198.51.100.1'), { address: '198.51.100.1', secure: undefined })
  t.same(x('6.6.6.6, 198.51.100.1, 10.0.0.2,10.9.9.9').address, '198.51.100.1', 'what he made up is not believed')
  t.same(x('10.0.0.3, 10.0.0.2').address, '10.0.0.3', 'all are trusted: the farthest')
  t.same(x('198.51.100.1:4711').address, '198.51.100.1')
  t.same(x('[2001:db9::1]:4711').address, '2001:db9::1')
  t.same(x('::ffff:198.51.100.1').address, '198.51.100.1')
  for (const nonsense of ['unknown', '198.51.100.1,', '198.51.100.1, 999.1.1.1', '', '198.51.100.1, , 10.0.0.2'])
    t.same(x(nonsense).address, undefined, JSON.stringify(nonsense))
  t.same(read('x-forwarded', {}), { address: '10.0.0.1', secure: undefined }, 'it speaks for itself')
  t.same(read('x-forwarded', { forwarded: 'for=6.6.6.6' }).address, '10.0.0.1', 'the other header is not read')
  t.same(x('198.51.100.1', { 'x-forwarded-proto': 'https, http' }).secure, false, 'the nearest proxy has the last word')
  t.same(read('x-forwarded', { 'x-forwarded-proto': 'https' }), { address: '10.0.0.1', secure: true })
  const f = (forwarded: string) => read('forwarded', { forwarded, 'x-forwarded-for': '6.6.6.6' })
  t.same(f('for=198.51.100.1;proto=https'), { address: '198.51.100.1', secure: true })
  t.same(f('For="[2001:db9::1]:4711"; Proto=HTTPS;by=10.0.0.1'), { address: '2001:db9::1', secure: true })
  t.same(f('for=6.6.6.6, for=198.51.100.1;proto=http, for="10.0.0.2:80";proto=https'), {
    address: '198.51.100.1',
    secure: false,
  })
  for (const nonsense of [
    'for=unknown',
    'for=_hidden',
    'proto=https',
    'for="198.51.100.1',
    'for 198.51.100.1',
    'a=b;;',
  ])
    t.same(f(nonsense).address, undefined, nonsense)
  t.same(f(`${'for=10.0.0.2,'.repeat(2000)}for=10.0.0.3`).address, '10.0.0.2', 'long ones are cut')
})
