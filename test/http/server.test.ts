/** What surrounds the dialects: routing, admission, errors, health and the developer's endpoints. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { SettableClock } from '../../src/core/clock.ts'
import { KmsError } from '../../src/core/error.ts'
import { Problem } from '../../src/core/problem.ts'
import { openHttp2, raw, startServer, statusOf, testSurface } from './support.ts'

const outside = (): string | undefined =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

type Answer = { readonly status: number; readonly body: string; readonly headers: http.IncomingHttpHeaders }

/** Paths and Host headers exactly as given, which fetch would tidy up. */
function ask(url: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const { port, hostname, protocol } = new URL(url)
  const client = protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const options = {
      port,
      host: hostname,
      path,
      method: body === undefined ? 'GET' : 'POST',
      headers,
      rejectUnauthorized: false,
    }
    const request = client.request({ ...options, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

t.test('a surface rewrites its requests, and no client can reach where they go', async (t) => {
  const { plain } = await startServer(t)
  const target = { 'x-test-target': 'Echo', 'content-type': 'application/test' }
  t.match(await ask(plain.url, '/?q=1', target, 'abc'), { status: 200, body: '"bytes":3,' })
  t.match(await ask(plain.url, '/?q=1', target, 'abc'), { body: '"url":"/?q=1"' }, 'the URL as the client wrote it')
  const { ask: ask2 } = await openHttp2(t, plain.url)
  t.match(await ask2('/', target, 'abc'), { status: 200, body: `"host":"${new URL(plain.url).host}"` })
  const spellings = [
    '/@aws/Echo',
    '/%40aws/Echo',
    '//@aws/Echo',
    '//%40aws/Echo',
    '/@aws%2FEcho',
    '/@',
    `${plain.url}/@aws/Echo`,
  ]
  for (const path of [...spellings, 'HTTP://localhost/%40aws/Echo', 'http:///@aws/Echo']) {
    t.equal((await ask(plain.url, path, { 'content-type': 'application/test' }, 'abc')).status, 404, path)
  }
  t.equal((await ask2('/@aws/Echo', { 'content-type': 'application/test' }, 'abc')).status, 404, 'HTTP/2')
})

t.test('errors outside routes are rendered by the surface that owns the request', async (t) => {
  const failing = testSurface('aws', (app) => {
    app.get('/boom', async () => {
      throw new Error('a secret detail')
    })
    app.get('/denied', async () => {
      throw new KmsError('access_denied', { action: 'sign' })
    })
  })
  const { plain } = await startServer(t, { surfaces: [failing], env: { TREFOIL_LIMITS_BODY_BYTES: '1024' } })
  const owned = { 'x-test-target': 'Nothing' }
  const lost = await ask(plain.url, '/', owned, '')
  t.match(lost, { status: 418, body: '{"dialect":"aws","code":"unknown_operation"}' })
  t.match(lost.headers['x-test-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.match(await ask(plain.url, '/nowhere?secret=1'), {
    status: 404,
    body: /"operation=GET \/nowhere"|operation=GET \/nowhere\)/,
  })
  t.notMatch((await ask(plain.url, '/nowhere?secret=1')).body, 'secret')
  t.match(
    await ask(plain.url, '/nowhere', { 'content-type': 'application/json' }, '{'),
    { status: 404 },
    'whatever its body is',
  )
  const boom = await ask(plain.url, '/boom')
  t.match(boom, { status: 500, body: '"error":"internal"' })
  t.notMatch(boom.body, 'detail')
  t.match(await ask(plain.url, '/denied'), { status: 403 })
  t.match(await ask(plain.url, '/%zz'), { status: 400, body: 'invalid_argument' }, 'a path that does not decode')
  const type = { 'x-test-target': 'Echo', 'content-type': 'application/test' }
  t.match(await ask(plain.url, '/', type, 'a'.repeat(1025)), { status: 418, body: 'payload_too_large' })
  t.match(await ask(plain.url, '/', type, 'a'.repeat(1024)), { status: 200 })
  t.match(await ask(plain.url, '/', { ...type, 'content-type': 'text/plain' }, 'a'), {
    status: 418,
    body: 'invalid_argument',
  })
})

t.test('a listener serves its dialects and no others', async (t) => {
  const listeners = [
    { address: '127.0.0.1', port: 0, dialects: ['aws'] },
    { address: '127.0.0.1', port: 0, dialects: ['gcp', 'azure'], tls: {} },
  ]
  const surfaces = [testSurface('aws'), testSurface('gcp')]
  const env = { TREFOIL_LISTENERS: JSON.stringify(listeners) }
  const { plain, tls } = await startServer(t, { surfaces, env })
  t.match(await ask(plain.url, '/aws'), { status: 200 })
  t.match(await ask(plain.url, '/gcp'), { status: 404 })
  t.match(await ask(tls.url, '/gcp'), { status: 200 })
  t.match(await ask(tls.url, '/aws'), { status: 404 })
  const target = { 'x-test-target': 'Echo', 'content-type': 'application/test' }
  t.match(await ask(tls.url, '/', target, 'abc'), { status: 200 }, 'rewritten by the dialect that is served')
  t.match(await ask(tls.url, '/', { 'x-test-target': 'No' }, ''), {
    body: '{"dialect":"gcp","code":"unknown_operation"}',
  })
})

t.test('a web page can not drive a loopback listener', async (t) => {
  const { plain, tls } = await startServer(t, { env: { TREFOIL_PUBLIC_URL: 'https://kms.example.org' } })
  const ownNames = [
    'localhost',
    'LOCALHOST:7400',
    '127.0.0.1:1',
    '[::1]:7400',
    'default.vault.localhost:7443',
    'kms.example.org',
  ]
  const clouds = [
    'kms.us-east-1.amazonaws.com',
    'cloudkms.googleapis.com',
    'my-vault.vault.azure.net',
    'a.managedhsm.azure.net',
  ]
  for (const host of [...ownNames, ...clouds]) {
    t.equal((await ask(plain.url, '/aws', { host })).status, 200, host)
  }
  const foreign = [
    'evil.test',
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    'evil.test:7400',
    '0.0.0.0',
    '10.0.0.1',
    '169.254.169.254',
  ]
  const tricks = [
    'evilvault.azure.net',
    's3.amazonaws.com',
    'kms.evil.amazonaws.com.evil.test',
    'evil.googleapis.com',
    'xlocalhost',
    'a b',
  ]
  for (const host of [...foreign, ...tricks]) {
    for (const path of ['/aws', '/_/clock', '/_/health/live', '/nowhere']) {
      t.equal((await ask(plain.url, path, { host })).status, 403, `${host}${path}`)
    }
  }
  t.equal((await ask(tls.url, '/aws', { host: 'evil.test' })).status, 403, 'over TLS')
  for (const origin of [
    'http://localhost:3000',
    'https://default.vault.localhost',
    'http://127.0.0.1:8080',
    'http://[::1]',
  ]) {
    t.equal((await ask(plain.url, '/aws', { origin })).status, 200, origin)
  }
  for (const origin of [
    'https://evil.test',
    'null',
    'http://localhost.evil.test',
    'file://',
    'http://my-vault.vault.azure.net',
    '',
  ]) {
    t.equal((await ask(plain.url, '/_/reset', { origin }, '')).status, 403, `Origin: ${origin}`)
  }
})

t.test('the plain port tunnels to its own TLS port only', async (t) => {
  const { plain, tls } = await startServer(t)
  const victim = net.createServer((socket) => socket.end('reached'))
  await new Promise<void>((resolve) => victim.listen(0, '127.0.0.1', resolve))
  t.teardown(() => victim.close())
  const { port } = victim.address() as net.AddressInfo
  const connect = async (target: string, headers = ''): Promise<number> => {
    const request = `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${headers}\r\n`
    // A tunnel that opens is closed by the TLS side when this is no handshake.
    return statusOf(await raw(plain.port, [request, 'not a handshake']))
  }
  for (const name of [
    'localhost',
    'default.vault.localhost',
    'x.vault.azure.net',
    'x.managedhsm.azure.net',
    'vault.localhost',
  ]) {
    t.equal(await connect(`${name}:${tls.port}`), 200, name)
  }
  t.equal(await connect('x.vault.azure.net:443'), 200, 'the port of the real vaults')
  const refused = [
    `localhost:${port}`,
    `127.0.0.1:${tls.port}`,
    `x.vault.azure.net:${port}`,
    'localhost:443',
    'example.org:443',
  ]
  for (const target of [
    ...refused,
    'localhost',
    `evil.test:${tls.port}`,
    `x.vault.azure.net.evil.test:443`,
    '[::1]:22',
    'localhost:99999',
  ]) {
    t.equal(await connect(target), 403, target)
  }
  t.equal(await connect(`localhost:${tls.port}`, 'Origin: https://evil.test\r\n'), 403, 'of a web page')
  t.equal(
    statusOf(await rawTls(tls.port, 'CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n')),
    405,
    'on the TLS port',
  )
})

const rawTls = (port: number, text: string): Promise<{ text: string; afterMs: number }> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.once('error', reject)
    socket.once('close', () => resolve({ text: answer, afterMs: 0 }))
    socket.write(text)
  })

t.test('readiness examines everything and says what is wrong', async (t) => {
  let reason: KmsError | Error | undefined
  let asked = 0
  let gate = Promise.resolve()
  const store = {
    name: 'store',
    check: async () => {
      asked++
      await gate
      if (reason !== undefined) throw reason
    },
  }
  const { plain, server } = await startServer(t, { readiness: [store, { name: 'audit', check: async () => {} }] })
  const ready = () => ask(plain.url, '/_/health/ready')
  const fine = { status: 'ready', state: 'ready', checks: { store: 'ok', audit: 'ok', certificates: 'ok' } }
  t.match(await ready(), { status: 200, body: JSON.stringify(fine) })
  reason = new KmsError('store_unavailable', {}, { cause: new Error('disk /secret/path') })
  t.match(await ready(), {
    status: 503,
    body: '"checks":{"store":"store_unavailable","audit":"ok","certificates":"ok"}}',
  })
  reason = new Error('disk /secret/path')
  t.match(await ready(), { status: 503, body: '"store":"internal"' })
  reason = undefined
  asked = 0
  const { promise, resolve: open } = Promise.withResolvers<void>()
  gate = promise
  const health = { url: '/_/health/ready', headers: { host: 'localhost' } }
  const callers = Array.from({ length: 20 }, () => server.app.inject(health))
  // Turns enough for all of them to have come as far as the examination.
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  open()
  for (const { statusCode } of await Promise.all(callers)) t.equal(statusCode, 200)
  t.equal(asked, 1, 'callers at the same time share one examination')
  t.match(await ask(plain.url, '/_/health/live'), { status: 200 })
  const stopped = server.stop()
  t.match((await server.app.inject(health)).statusCode, 503)
  await stopped
})

t.test('the clock and the reset of the dev profile', async (t) => {
  const calls: string[] = []
  const { plain } = await startServer(t, {
    dev: { settle: async () => void calls.push('settle'), reset: async () => void calls.push('reset') },
  })
  const set = (body: unknown) =>
    ask(
      plain.url,
      '/_/clock',
      { 'content-type': 'application/json' },
      typeof body === 'string' ? body : JSON.stringify(body),
    )
  const now = async (): Promise<{ now: string; frozen: boolean }> => JSON.parse((await ask(plain.url, '/_/clock')).body)
  const before = Date.now()
  const shown = Date.parse((await now()).now)
  t.ok(before <= shown && shown <= Date.now(), 'it starts as the time of day')
  t.match(await set({ now: '2030-01-01T00:00:00Z', frozen: true }), {
    status: 200,
    body: '{"now":"2030-01-01T00:00:00.000Z","frozen":true}',
  })
  t.match(await set({ advance: '30d' }), { body: '{"now":"2030-01-31T00:00:00.000Z","frozen":true}' })
  t.match(await set({ advance: 1500 }), { body: '00:00:01.500Z' })
  t.same(calls, ['settle', 'settle', 'settle'], 'what fell due happened before each answer')
  t.match(await set({ now: 0 }), { body: '1970-01-01T00:00:00.000Z' })
  const refused = [
    1,
    [],
    { now: 'tomorrow' },
    { advance: -1 },
    { advance: '1y' },
    { frozen: 'yes' },
    { later: 1 },
    { now: 1, advance: 1 },
    '{"now":1,"now":2}',
    '{"__proto__":{}}',
  ]
  for (const body of refused) t.equal((await set(body)).status, 400, JSON.stringify(body))
  t.match(await set({ advance: '999999999999d' }), { status: 400 }, 'the end of time')
  t.match(await now(), { now: '1970-01-01T00:00:00.000Z', frozen: true }, 'a refused change changes nothing')
  t.match(await set({ frozen: false }), { body: '"frozen":false' })
  t.match(await ask(plain.url, '/_/reset', {}, ''), { status: 200 })
  t.equal(calls.at(-1), 'reset')
})

t.test('the clock walks from date to date, and what can’t be done does not hold it', async (t) => {
  const clock = new SettableClock()
  const start = Date.UTC(2030, 0, 1)
  let dates = [1, 2, 2.0000001, 40].map((day) => start + day * 86_400_000)
  const done: number[] = []
  const { plain } = await startServer(t, {
    dev: {
      clock,
      settle: async () => {
        const stuck = start + 5 * 86_400_000
        for (const date of dates) if (date <= clock.now() && date !== stuck) done.push(clock.now() - date)
        dates = dates.filter((date) => date > clock.now() || date === stuck)
      },
      soonest: async () => (dates.length === 0 ? undefined : Math.min(...dates)),
    },
  })
  const set = (body: unknown) =>
    ask(plain.url, '/_/clock', { 'content-type': 'application/json' }, JSON.stringify(body))
  await set({ now: start, frozen: true })
  await set({ advance: '3d' })
  t.equal(done.length, 3)
  t.ok(
    done.every((late) => late >= 0 && late <= 1_000),
    'each at its own time',
  )
  dates.push(start + 5 * 86_400_000)
  t.match(await set({ advance: '7d' }), { status: 200, body: '2030-01-11T00:00:00.000Z' })
  t.equal(done.length, 3)
})

t.test('the developer’s endpoints are absent where others can reach them', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-certificate-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const { cert, key } = makeCertificate(directory, 'one')
  const listeners = JSON.stringify([
    { address: '127.0.0.1', port: 0, behindProxy: true },
    { address: '127.0.0.1', port: 0, tls: { cert, key } },
  ])
  const production = await startServer(t, {
    env: {
      TREFOIL_PROFILE: 'production',
      TREFOIL_LISTENERS: listeners,
      TREFOIL_ROOT_KEY_TYPE: 'passphrase',
      TREFOIL_ROOT_KEY_PASSPHRASE_ENV: 'TREFOIL_PASSPHRASE',
    },
  })
  for (const path of ['/_/clock', '/_/reset', '/_/ca.pem']) {
    t.equal((await ask(production.plain.url, path)).status, 404, `${path} in production`)
    t.equal((await ask(production.plain.url, path, {}, '')).status, 404, `POST ${path} in production`)
  }
  t.equal((await ask(production.plain.url, '/_/health/live', { host: 'pod.internal' })).status, 200)
  const tunnel = 'CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n'
  t.equal(statusOf(await raw(production.plain.port, [tunnel])), 405, 'no tunnels in production')
})

const address = outside()
const alone = address === undefined && 'this machine has no address but loopback'
t.test('nor on listeners of the dev profile that others can reach', { skip: alone }, async (t) => {
  const modes = { TREFOIL_AUTH_AWS: 'enforce', TREFOIL_AUTH_AZURE: 'enforce', TREFOIL_AUTH_GCP: 'enforce' }
  const { plain } = await startServer(t, { env: { ...modes, TREFOIL_HOST: address ?? '' } })
  t.equal((await ask(plain.url, '/_/clock')).status, 404)
  t.equal((await ask(plain.url, '/_/reset', {}, '')).status, 404)
  t.equal((await ask(plain.url, '/aws', { host: 'kms:7400' })).status, 200, 'names of other machines are served')
  t.equal((await ask(plain.url, '/aws', { origin: 'https://evil.test' })).status, 403)
})

function makeCertificate(directory: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)]
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  ]
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { cert, key }
}

const subjectOf = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.once('error', reject)
  })

t.test('certificate files are read again on request, and checked', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-certificate-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const [one, two] = [makeCertificate(directory, 'one'), makeCertificate(directory, 'two')]
  const [cert, key] = [join(directory, 'cert'), join(directory, 'key')]
  const use = (pair: { cert: string; key: string }): void => {
    execFileSync('cp', [pair.cert, cert])
    execFileSync('cp', [pair.key, key])
  }
  use(one)
  const { server, tls } = await startServer(t, { env: { TREFOIL_TLS_CERT: cert, TREFOIL_TLS_KEY: key } })
  t.equal(await subjectOf(tls.port), 'one')
  use(two)
  t.equal(await subjectOf(tls.port), 'one')
  ;(await server.readCertificates())()
  t.equal(await subjectOf(tls.port), 'two')
  execFileSync('cp', [one.key, key])
  await t.rejects(server.readCertificates(), { message: 'is not the key of the certificate' })
  writeFileSync(cert, 'nonsense')
  await t.rejects(server.readCertificates(), { message: 'is not PEM' })
  rmSync(cert)
  await t.rejects(server.readCertificates(), { message: 'cannot be read' })
  t.equal(await subjectOf(tls.port), 'two', 'a certificate that is no good changes nothing')
})

t.test('a port that is taken is named, and nothing stays bound', async (t) => {
  const first = await startServer(t)
  const listeners = [
    { address: '127.0.0.1', port: 0 },
    { address: '127.0.0.1', port: first.plain.port },
  ]
  const failed = startServer(t, { env: { TREFOIL_LISTENERS: JSON.stringify(listeners) } })
  const error = await failed.catch((caught: unknown) => caught)
  t.type(error, Problem)
  t.match(error, { message: `127.0.0.1:${first.plain.port} is taken`, fix: 'TREFOIL_PORT' })
})
