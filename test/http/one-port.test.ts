/** HTTP/1.1 and HTTP/2 on one port: telling them apart, timeouts, limits and the graceful stop. */
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { openHttp2, raw, startServer, statusOf, testSurface } from './support.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const SETTINGS = Buffer.from('000000040000000000', 'hex')
const GOAWAY = Buffer.from('0000080700000000000000000000000000', 'hex')
const SETTINGS_TYPE = 4
const get = (headers: string): string => `GET /aws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`
/** The type of the first HTTP/2 frame in an answer. */
const firstFrame = (text: string): number => text.charCodeAt(3)

t.test('a plain port speaks both protocols, however the first bytes arrive', async (t) => {
  const { plain } = await startServer(t, { env: { TREFOIL_LIMITS_REQUEST_TIMEOUT_MS: '700' } })
  const { ask } = await openHttp2(t, plain.url)
  t.match(await ask('/aws'), { status: 200, body: '"version":"2.0"' })
  t.equal(statusOf(await raw(plain.port, [get('')])), 200)

  const post = 'OST / HTTP/1.1\r\nHost: localhost\r\nX-Test-Target: Echo\r\nContent-Type: application/test\r\n'
  const split = await raw(plain.port, ['P', `${post}Content-Length: 2\r\nConnection: close\r\n\r\n`, '{}'])
  t.equal(statusOf(split), 200, 'P is not yet the preface')
  t.match(split.text, /"bytes":2/)
  t.equal(
    statusOf(await raw(plain.port, ['PR', 'OPFIND / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'])),
    404,
  )

  for (const cut of [1, 3, 14, 23]) {
    const rest = Buffer.concat([Buffer.from(PREFACE.slice(cut)), SETTINGS, GOAWAY])
    const answer = await raw(plain.port, [PREFACE.slice(0, cut), rest])
    t.equal(firstFrame(answer.text), SETTINGS_TYPE, `preface cut after ${cut} bytes`)
  }
})

t.test('connections that say nothing, or too slowly, are closed', async (t) => {
  const { plain, tls } = await startServer(t, { env: { TREFOIL_LIMITS_REQUEST_TIMEOUT_MS: '800' } })
  const answers = await Promise.all([
    raw(plain.port, []),
    raw(plain.port, ['PRI * HT']),
    raw(plain.port, ['GET /aws HTTP/1.1\r\nHost: local']),
    raw(plain.port, ['POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nX-Test-Target: Echo\r\n\r\n1']),
    raw(tls.port, []),
  ])
  const [silent, preface, headers, body, handshake] = answers
  for (const [name, answer] of Object.entries({ silent, preface, headers, body, handshake })) {
    t.ok(answer !== undefined && answer.afterMs >= 700, `${name}: not before ${answer?.afterMs} ms`)
  }
  t.equal(headers && statusOf(headers), 408)
})

t.test('a body that drips in over HTTP/2 is cut off, however lively its stream is', async (t) => {
  const { plain } = await startServer(t, { env: { TREFOIL_LIMITS_REQUEST_TIMEOUT_MS: '400' } })
  const { session } = await openHttp2(t, plain.url)
  const headers = { 'x-test-target': 'Echo', 'content-type': 'application/test' }
  const stream = session.request({ ':method': 'POST', ':path': '/', ...headers })
  stream.on('error', () => {})
  const started = Date.now()
  const drip = setInterval(() => stream.write('x'), 50)
  t.teardown(() => clearInterval(drip))
  await new Promise((resolve) => stream.once('close', resolve))
  const afterMs = Date.now() - started
  t.ok(afterMs >= 700, `not before ${afterMs} ms`)
})

t.test('a TLS port chooses by ALPN', async (t) => {
  const { tls } = await startServer(t)
  const { ask, session } = await openHttp2(t, tls.url)
  t.equal(session.alpnProtocol, 'h2')
  t.match(await ask('/aws'), { status: 200, body: '"tls":true' })
  const choose = (protocols: string[]): Promise<string | false | null> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({
        port: tls.port,
        host: '127.0.0.1',
        ALPNProtocols: protocols,
        rejectUnauthorized: false,
      })
      socket.once('secureConnect', () => {
        resolve(socket.alpnProtocol)
        socket.destroy()
      })
      socket.once('error', reject)
    })
  t.equal(await choose(['h2', 'http/1.1']), 'h2')
  t.equal(await choose(['http/1.1']), 'http/1.1')
  await t.rejects(choose(['spdy/3']), 'a protocol that is not there')
  const old = await new Promise<string>((resolve, reject) => {
    const socket = connectTls({ port: tls.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.1' })
    socket.once('error', () => resolve('refused'))
    socket.once('secureConnect', () => reject(new Error('TLS 1.1 was accepted')))
  })
  t.equal(old, 'refused')
})

t.test('framing that could be read in two ways is refused', async (t) => {
  const { plain } = await startServer(t, { env: { TREFOIL_LIMITS_HEADER_BYTES: '2048' } })
  const post = (headers: string, body = ''): string =>
    `POST / HTTP/1.1\r\nHost: localhost\r\nX-Test-Target: Echo\r\nContent-Type: application/test\r\n${headers}\r\n${body}`
  const chunked = '2\r\n{}\r\n0\r\n\r\n'
  const both = await raw(plain.port, [post('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', chunked)])
  t.equal(statusOf(both), 400, 'Transfer-Encoding and Content-Length')
  t.equal(statusOf(await raw(plain.port, [post('Content-Length: 2\r\nContent-Length: 3\r\n', '{}1')])), 400)
  t.equal(statusOf(await raw(plain.port, [post('Transfer-Encoding: gzip, chunked, gzip\r\n', chunked)])), 400)
  t.equal(statusOf(await raw(plain.port, ['GET /aws HTTP/1.1\r\nConnection: close\r\n\r\n'])), 400, 'no Host')
  const twoHosts = await raw(plain.port, [
    'GET /aws HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\nConnection: close\r\n\r\n',
  ])
  t.equal(statusOf(twoHosts), 403, 'two Hosts')
  t.equal(statusOf(await raw(plain.port, [get(`X-Long: ${'a'.repeat(4096)}\r\n`)])), 431)
  t.equal(statusOf(await raw(plain.port, [get('X Y: 1\r\n')])), 400)
  const { ask } = await openHttp2(t, plain.url)
  t.match(
    await ask('/aws', { 'x-long': 'a'.repeat(4096) }),
    { status: 431 },
    'HTTP/2, before the limit is acknowledged',
  )
  await t.rejects(ask('/aws', { 'x-long': 'a'.repeat(4096) }), { code: 'ERR_HTTP2_STREAM_ERROR' }, 'and after')
  const both2 = { ':authority': 'localhost', host: '127.0.0.1' }
  t.match(await ask('/aws', both2), { status: 400, body: 'differ' }, ':authority and Host differ')
})

/** A dialect whose `/slow` waits until it is told to answer. */
function slowSurface() {
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  let started = 0
  const surface = testSurface('aws', (app) => {
    app.get('/slow', async (request) => {
      started++
      await gate
      return { slow: request.raw.httpVersion }
    })
  })
  return { surface, release: () => release(), started: () => started }
}

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

function http1(t: Test, client: typeof http | typeof https, url: string): Promise<{ status: number; body: string }> {
  const agent = new client.Agent({ keepAlive: true, rejectUnauthorized: false })
  t.teardown(() => agent.destroy())
  return new Promise((resolve, reject) => {
    client
      .get(url, { agent }, (response) => {
        let body = ''
        response.on('data', (chunk) => {
          body += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
      .on('error', reject)
  })
}

t.test('a stop lets requests in flight finish on every protocol', async (t) => {
  const slow = slowSurface()
  const { server, plain, tls } = await startServer(t, { surfaces: [slow.surface] })
  const h2c = await openHttp2(t, plain.url)
  const h2 = await openHttp2(t, tls.url)
  const idle = await openHttp2(t, plain.url)
  await idle.ask('/aws')
  const tunnelled = tunnel(plain.port, `abc.vault.localhost:${tls.port}`)
  const answers = [
    http1(t, http, `${plain.url}/slow`),
    http1(t, https, `${tls.url}/slow`),
    h2c.ask('/slow'),
    h2.ask('/slow'),
    tunnelled,
  ]
  await until(() => slow.started() === answers.length)
  const stopped = server.stop()
  const refused = (work: Promise<unknown>) =>
    work.then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => code ?? true,
    )
  await until(async () => (await refused(http1(t, http, `${plain.url}/aws`))) === 'ECONNREFUSED')
  await until(async () => (await refused(idle.ask('/aws'))) !== false)
  t.pass('new connections are refused, and new streams of an idle session')
  slow.release()
  for (const answer of await Promise.all(answers)) t.match(answer, { status: 200, body: /"slow":"(1\.1|2\.0)"/ })
  t.equal(await stopped, 0, 'no connection was cut off')
})

/** One request through a tunnel, over HTTP/1.1. */
function tunnel(proxyPort: number, target: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port: proxyPort, host: '127.0.0.1', method: 'CONNECT', path: target })
    request.once('error', reject)
    request.once('connect', (_response, socket) => {
      const secure = connectTls({ socket, servername: 'abc.vault.localhost', rejectUnauthorized: false })
      let text = ''
      secure.write('GET /slow HTTP/1.1\r\nHost: abc.vault.localhost\r\nConnection: close\r\n\r\n')
      secure.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      secure.once('error', reject)
      secure.once('close', () => resolve({ status: Number(text.slice(9, 12)), body: text }))
    })
    request.end()
  })
}

t.test('a request on a connection that is kept is refused while stopping', async (t) => {
  const slow = slowSurface()
  const { server, plain } = await startServer(t, { surfaces: [slow.surface] })
  const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Test-Target: Echo\r\n\r\n`
  const first = 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const answered = raw(plain.port, [first])
  await until(() => slow.started() === 1)
  const kept = net.connect(plain.port, '127.0.0.1')
  const both = raw(kept, [first])
  await until(() => slow.started() === 2)
  const stopped = server.stop()
  kept.write(line('/x'))
  // The server is in this process: when the time is up, it has read what was there.
  await new Promise((resolve) => setTimeout(resolve, 200))
  slow.release()
  t.match((await answered).text, /"slow":"1\.1"/)
  const { text } = await both
  t.match(text, /"slow":"1\.1"/, 'what was in flight is answered')
  t.match(text, /HTTP\/1\.1 503[\s\S]*connection: close[\s\S]*"code":"shutting_down"/i, 'in the words of the dialect')
  t.equal(await stopped, 0)
})
