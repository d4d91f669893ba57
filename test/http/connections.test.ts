/** How many connections a listener holds, and how much one connection may ask for. */
import { once } from 'node:events'
import net from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { openHttp2, raw, startServer, testSurface } from './support.ts'

const REQUEST = 'GET /aws HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** A connection that stays; `ask` sends one request by it and waits for the answer's first bytes. */
async function keep(t: Test, port: number, tls: boolean) {
  const options = { port, host: '127.0.0.1' }
  const socket = tls ? connectTls({ ...options, rejectUnauthorized: false }) : net.connect(options)
  t.teardown(() => socket.destroy())
  await once(socket, tls ? 'secureConnect' : 'connect')
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.once('data', (answer: Buffer) => resolve(answer.toString('latin1', 0, 12)))
      socket.once('close', () => reject(new Error('closed')))
      socket.write(REQUEST)
    })
  return { socket, ask }
}

for (const tls of [false, true]) {
  t.test(`one connection too many is closed at once, ${tls ? 'by TLS' : 'plain'}; the others stay`, async (t) => {
    const server = await startServer(t, { env: { TREFOIL_LIMITS_MAX_CONNECTIONS: '3' } })
    const [{ port, url }, other] = tls ? [server.tls, server.plain] : [server.plain, server.tls]
    const kept = [await keep(t, port, tls), await keep(t, port, tls)]
    const http2 = await openHttp2(t, url)
    for (const { ask } of kept) t.equal(await ask(), 'HTTP/1.1 200')
    for (let more = 0; more < 5; more++) t.equal((await raw(port, [REQUEST])).text, '', 'closed without a word')
    for (const { ask } of kept) t.equal(await ask(), 'HTTP/1.1 200', 'HTTP/1.1 goes on')
    t.match(await http2.ask('/aws'), { status: 200 }, 'and so does HTTP/2')
    t.equal(await (await keep(t, other.port, !tls)).ask(), 'HTTP/1.1 200', 'the other listener has its own count')
    kept[0]?.socket.destroy()
    t.equal(await freed(t, port, tls), 'HTTP/1.1 200', 'a place that is free again is given again')
  })
}

/** The first answer, as soon as there is a place. */
async function freed(t: Test, port: number, tls: boolean): Promise<string> {
  for (;;) {
    const served = await keep(t, port, tls)
      .then(({ ask }) => ask())
      .catch(() => undefined)
    if (served !== undefined) return served
  }
}

t.test('who sends requests ahead of their answers without end is cut off, alone', async (t) => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  let started = 0
  const surface = testSurface('aws', (app) => {
    app.get('/slow', async () => {
      started++
      await gate
      return 'late'
    })
  })
  const { plain } = await startServer(t, { surfaces: [surface] })
  const slow = 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const patient = net.connect(plain.port, '127.0.0.1')
  t.teardown(() => patient.destroy())
  patient.write(slow.repeat(256))
  while (started < 256) await new Promise((resolve) => setTimeout(resolve, 5))
  const { text } = await raw(plain.port, [slow.repeat(2000)])
  t.equal(text, '')
  t.equal(started, 2 * 256, 'no more of its requests were begun')
  let answers = ''
  patient.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1')
  })
  open()
  while (answers.split('HTTP/1.1 200').length <= 256) await once(patient, 'data')
  t.pass('the other connection got every answer')
})
