/**
 * Load from one thread with as little of its own work as can be: requests are bytes made beforehand, answers are only
 * counted and checked for their status.
 */
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'

export type Request = {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}
export type Sample = { readonly requests: number; readonly seconds: number; readonly latenciesMs: readonly number[] }

const HEAD_END = Buffer.from('\r\n\r\n')

function bytesOf(port: number, { path, headers, body }: Request): Buffer {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers, 'content-length': String(body.length) })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n`), body])
}

/** Length of the first whole answer in `got`, 0 while there is none. */
function answerLength(got: Buffer): number {
  const end = got.indexOf(HEAD_END)
  if (end < 0) return 0
  const head = got.toString('latin1', 0, end)
  if (!head.startsWith('HTTP/1.1 200'))
    throw new Error(`answered: ${head.slice(0, 40)} ${got.toString('utf8', end + 4)}`)
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error('an answer without content-length')
  const whole = end + HEAD_END.length + Number(length)
  return got.length >= whole ? whole : 0
}

function oneConnection(port: number, request: Buffer, until: number, latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let got: Buffer = Buffer.alloc(0)
    let sentAt = performance.now()
    socket.on('connect', () => {
      sentAt = performance.now()
      socket.write(request)
    })
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.on('data', (chunk: Buffer) => {
      got = got.length === 0 ? chunk : Buffer.concat([got, chunk])
      let length: number
      try {
        length = answerLength(got)
      } catch (error) {
        socket.destroy()
        reject(error)
        return
      }
      if (length === 0) return
      got = got.subarray(length)
      const now = performance.now()
      latencies.push(now - sentAt)
      if (now >= until) {
        socket.end()
        return
      }
      sentAt = now
      socket.write(request)
    })
  })
}

export async function http1(port: number, request: Request, seconds: number, connections: number): Promise<Sample> {
  const latenciesMs: number[] = []
  const started = performance.now()
  const bytes = bytesOf(port, request)
  const until = started + seconds * 1000
  await Promise.all(Array.from({ length: connections }, () => oneConnection(port, bytes, until, latenciesMs)))
  return { requests: latenciesMs.length, seconds: (performance.now() - started) / 1000, latenciesMs }
}

/** gRPC: `streams` calls in flight on one session, as a client library's channel does. */
export async function http2(port: number, request: Request, seconds: number, streams: number): Promise<Sample> {
  const latenciesMs: number[] = []
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  const started = performance.now()
  const until = started + seconds * 1000
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const sentAt = performance.now()
      const stream = session.request({ ':method': 'POST', ':path': request.path, te: 'trailers', ...request.headers })
      stream.on('trailers', (trailers) => {
        if (trailers['grpc-status'] !== '0')
          reject(new Error(`answered ${trailers['grpc-status']}: ${trailers['grpc-message']}`))
      })
      stream.on('error', reject)
      stream.on('close', () => {
        latenciesMs.push(performance.now() - sentAt)
        resolve()
      })
      stream.resume()
      stream.end(request.body)
    })
  const worker = async (): Promise<void> => {
    while (performance.now() < until) await one()
  }
  await Promise.all(Array.from({ length: streams }, worker))
  const sample = { requests: latenciesMs.length, seconds: (performance.now() - started) / 1000, latenciesMs }
  session.close()
  return sample
}

const ANSWER_MS = 30_000

/** Each request by itself and few at once, for servers that keep no connections and answer slowly. */
export async function oneByOne(
  port: number,
  { path, headers, body }: Request,
  seconds: number,
  workers: number,
): Promise<Sample> {
  const { host: _, ...sent } = headers
  const latenciesMs: number[] = []
  const started = performance.now()
  const worker = async (): Promise<void> => {
    do {
      const at = performance.now()
      const signal = AbortSignal.timeout(ANSWER_MS)
      const options = { method: 'POST', headers: { ...sent, connection: 'close' }, body, signal }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, options)
      const text = await response.text()
      if (!response.ok) throw new Error(`answered: ${response.status} ${text}`)
      latenciesMs.push(performance.now() - at)
    } while (performance.now() < started + seconds * 1000)
  }
  await Promise.all(Array.from({ length: workers }, worker))
  return { requests: latenciesMs.length, seconds: (performance.now() - started) / 1000, latenciesMs }
}
