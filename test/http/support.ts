/** The server with a dialect made for the test, on free ports and a directory of its own. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http2 from 'node:http2'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { DevHooks } from '../../src/api/dev/endpoints.ts'
import type { HealthCheck } from '../../src/api/http/health.ts'
import { type BoundListener, createServer, type Server } from '../../src/api/server.ts'
import type { Surface } from '../../src/api/surface.ts'
import { loadConfig } from '../../src/config.ts'
import { SettableClock } from '../../src/core/clock.ts'
import type { Kernel } from '../../src/core/kernel.ts'
import type { Dialect } from '../../src/core/key.ts'

export const TARGET = 'x-test-target'

/** POSTs with a target header are rewritten to `/@<dialect>/<target>`; errors come in a form of its own. */
export function testSurface(dialect: Dialect, register: (app: FastifyInstance) => void = () => {}): Surface {
  return {
    dialect,
    coverage: [],
    owns: ({ headers }) => headers[TARGET] !== undefined,
    rewrite: ({ headers }) => (headers[TARGET] === undefined ? undefined : `/@${dialect}/${headers[TARGET]}`),
    register(app) {
      app.addContentTypeParser('application/test', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
      app.get(`/${dialect}`, async (request) => ({ version: request.raw.httpVersion, tls: request.listener?.tls }))
      app.post(`/@${dialect}/Echo`, async (request) => ({
        bytes: (request.body as Buffer | undefined)?.length ?? 0,
        host: request.headers.host,
        url: request.originalUrl,
      }))
      register(app)
    },
    render: (error, _head, requestId) => ({
      status: error.code === 'shutting_down' ? 503 : 418,
      headers: { 'x-test-id': requestId },
      body: { dialect, code: error.code },
    }),
  }
}

export type Settings = {
  readonly env?: Readonly<Record<string, string>>
  readonly surfaces?: readonly Surface[]
  readonly readiness?: readonly HealthCheck[]
  readonly dev?: Partial<DevHooks>
}

export type TestServer = {
  readonly server: Server
  readonly bound: readonly BoundListener[]
  readonly plain: BoundListener
  readonly tls: BoundListener
  readonly dataDir: string
}

/** Ends with the test. */
export async function startServer(t: Test, settings: Settings = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trefoil-http-'))
  const env = { TREFOIL_DATA_DIR: dataDir, TREFOIL_PORT: '0', TREFOIL_TLS_PORT: '0', ...settings.env }
  const listed = 'TREFOIL_LISTENERS' in env
  const config = loadConfig({ env: listed ? { ...env, TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' } : env })
  const clock = new SettableClock()
  const dev = { clock, settle: async () => {}, soonest: async () => undefined, reset: async () => {}, ...settings.dev }
  const server = await createServer({
    config,
    surfaces: settings.surfaces ?? [testSurface('aws')],
    // The dialect of these tests has no operations.
    services: { kernel: undefined as unknown as Kernel, clock, log: pino({ level: 'silent' }) },
    readiness: settings.readiness ?? [],
    ...(config.profile === 'dev' ? { dev } : {}),
  })
  t.teardown(async () => {
    await server.stop()
    clock.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  const bound = await server.start()
  const plain = bound.find(({ tls }) => !tls)
  const tls = bound.find((listener) => listener.tls)
  return { server, bound, plain: plain ?? none(), tls: tls ?? none(), dataDir }
}

const none = (): BoundListener => ({ url: '', tls: false, address: '', port: 0, dialects: [] })

export type RawAnswer = { readonly text: string; readonly afterMs: number }

/** Writes the pieces with pauses between, and reads until the server closes. @throws where it does not */
export async function raw(to: number | net.Socket, pieces: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const started = Date.now()
  const socket = typeof to === 'number' ? net.connect(to, '127.0.0.1') : to
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const piece of pieces) {
    if (socket.destroyed) break
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  let patient = true
  const deadline = setTimeout(() => {
    patient = false
    socket.destroy()
  }, 15_000)
  await closed
  clearTimeout(deadline)
  if (!patient) throw new Error('the server did not close the connection')
  return { text, afterMs: Date.now() - started }
}

export const statusOf = ({ text }: RawAnswer): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)

export type H2Answer = { readonly status: number; readonly body: string }

/** One HTTP/2 session, closed with the test. */
export async function openHttp2(t: Test, url: string, options: http2.SecureClientSessionOptions = {}) {
  const session = http2.connect(url, { rejectUnauthorized: false, ...options })
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  await once(session, 'connect')
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}, body?: string): Promise<H2Answer> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST', ...headers })
      let text = ''
      let status = 0
      stream.setEncoding('utf8')
      stream.on('response', (response) => {
        status = Number(response[':status'])
      })
      stream.on('data', (chunk: string) => {
        text += chunk
      })
      stream.on('end', () => resolve({ status, body: text }))
      stream.on('error', reject)
      stream.end(body)
    })
  return { session, ask }
}
