/** Hostile bytes at the real server: each dialect refuses them in its own words, and everybody else is served meanwhile. */
import http2 from 'node:http2'
import net from 'node:net'
import t from 'tap'
import { Listener } from '../../src/api/http/listener.ts'
import { startTrefoil } from '../support/process.ts'

const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const BODIES: Readonly<Record<string, string | Buffer>> = {
  __proto__: '{"__proto__":{"polluted":true}}',
  'an escaped __proto__': '{"__pro\\u0074o__":{"polluted":true}}',
  'constructor.prototype': '{"constructor":{"prototype":{"polluted":true}}}',
  'a name twice': '{"kty":"EC","kty":"RSA"}',
  'a name twice, once with an escape': '{"kty":"EC","k\\u0074y":"RSA"}',
  'bad UTF-8': Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d]),
  'overlong UTF-8': Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
  'a lone surrogate': '{"a":"\\ud800"}',
  'a deep text': deep(1000),
  'no JSON': '{"a":',
  'two texts': '{}{}',
  'a NUL': '{}\u0000',
}

t.test('hostile bytes', { timeout: 120_000 }, async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  const base = server.plainUrl
  const dialects = {
    aws: {
      url: base,
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.CreateKey' },
      refusal: /"__type":"\w+Exception"/,
    },
    azure: {
      url: `${base}/keys/k/create?api-version=2025-07-01`,
      headers: { 'content-type': 'application/json', authorization: 'Bearer any' },
      refusal: /"error":\{"code":"BadParameter"/,
    },
    gcp: {
      url: `${base}/v1/projects/local/locations/global/keyRings?keyRingId=k`,
      headers: { 'content-type': 'application/json', authorization: 'Bearer any' },
      refusal: /"status":\s*"INVALID_ARGUMENT"/,
    },
  }
  const port = Number(new URL(base).port)
  const serves = async (): Promise<boolean> => (await fetch(`${base}/_/health/ready`)).status === 200

  await t.test('bodies', async (t) => {
    for (const [dialect, { url, headers, refusal }] of Object.entries(dialects)) {
      for (const [name, body] of Object.entries(BODIES)) {
        const response = await fetch(url, { method: 'POST', headers, body })
        const text = await response.text()
        t.equal(response.status, 400, `${dialect}: ${name}: ${text.slice(0, 120)}`)
        t.match(text, refusal)
        t.notMatch(text, /polluted/)
      }
      const large = await fetch(url, { method: 'POST', headers, body: Buffer.alloc(1024 * 1024 + 1, 0x20) })
      t.ok(large.status === 413 || large.status === 400, `${dialect}: a large body: ${large.status}`)
      await large.text()
    }
    t.ok(await serves())
  })

  await t.test('streams opened and reset at once', async (t) => {
    const session = http2.connect(base)
    session.on('error', () => {})
    const closed = new Promise((resolve) => session.once('close', resolve))
    for (let n = 0; n < 4000 && !session.destroyed && !session.closed; n++) {
      const stream = session.request({ ':path': '/_/health/live' })
      stream.on('error', () => {})
      stream.close(http2.constants.NGHTTP2_CANCEL)
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const timer = setTimeout(() => session.destroy(), 3000)
    await closed
    clearTimeout(timer)
    t.ok(await serves())
  })

  await t.test('floods of SETTINGS and PING', async (t) => {
    for (const frame of ['000000040000000000', `000008060000000000${'00'.repeat(8)}`]) {
      const socket = net.connect(port, '127.0.0.1')
      socket.on('error', () => {})
      // Nobody reads the answers, so that they pile up on the other side.
      socket.pause()
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
      socket.write(Buffer.from('000000040000000000', 'hex'))
      const flood = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from(frame, 'hex')))
      for (let n = 0; n < 50 && !socket.destroyed; n++) {
        socket.write(flood)
        await new Promise((resolve) => setImmediate(resolve))
      }
      t.ok(await serves(), 'served meanwhile')
      socket.destroy()
    }
  })

  await t.test('connections that trickle do not keep others out', async (t) => {
    const sockets = Array.from({ length: 200 }, () => net.connect(port, '127.0.0.1'))
    for (const socket of sockets) socket.on('error', () => {}).write('POST / HTTP/1.1\r\nHost: local')
    t.ok(await serves())
    t.notOk(
      sockets.some((socket) => socket.closed),
      'while they were there',
    )
    for (const socket of sockets) socket.destroy()
  })
})

t.test('a stop cuts off at its deadline what does not finish', async (t) => {
  const { promise: inFlight, resolve: taken } = Promise.withResolvers<void>()
  const listener = new Listener({
    limits: {
      headerBytes: 16_384,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      idleTimeoutMs: 60_000,
      maxConnections: 10,
    },
    handler: () => taken(),
  })
  const { port } = await listener.listen('127.0.0.1', 0)
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await inFlight
  const started = Date.now()
  t.equal(await listener.close(300), 1)
  await closed
  const afterMs = Date.now() - started
  t.ok(afterMs >= 280, `not before ${afterMs} ms`)
})
