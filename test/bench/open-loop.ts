/**
 * Load that comes when it comes: so many requests a second whether the last ones were answered or not, as callers who know
 * nothing of each other make it. A latency counts from when the request was due, so that what waits to be sent waits too.
 */
import { connect, type TLSSocket } from 'node:tls'

export type OpenLoop = {
  readonly port: number
  readonly ca: string
  readonly perSecond: number
  readonly seconds: number
  /** Connections at most; what finds none idle waits for one. */
  readonly connections: number
  /** Bytes of the request to send at that time, ms since the epoch. */
  request(now: number): Uint8Array
}
export type OpenSample = {
  /** By status; 0: cut off. */
  readonly latenciesMs: ReadonlyMap<number, number[]>
  readonly offered: number
}

const TICK_MS = 1
const HEAD_END = Buffer.from('\r\n\r\n')
/** For answers that are due when the last request was sent. */
const DRAIN_MS = 5000

type Answer = { readonly status: number; readonly bytes: number }

/** The first whole answer in `got`. */
function answerIn(got: Buffer): Answer | undefined {
  const end = got.indexOf(HEAD_END)
  if (end < 0) return undefined
  const head = got.toString('latin1', 0, end)
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  const bytes = end + HEAD_END.length + length
  return got.length < bytes ? undefined : { status: Number(head.slice(9, 12)), bytes }
}

class Connections {
  readonly #options: OpenLoop
  readonly #idle: TLSSocket[] = []
  readonly #busy = new Map<TLSSocket, number>()
  readonly #waiting: number[] = []
  readonly latenciesMs = new Map<number, number[]>()
  #open = 0

  constructor(options: OpenLoop) {
    this.#options = options
  }

  get pending(): number {
    return this.#busy.size + this.#waiting.length
  }

  /** @param due by the monotonic clock */
  send(due: number): void {
    const socket = this.#idle.pop()
    if (socket !== undefined) this.#write(socket, due)
    else {
      this.#waiting.push(due)
      if (this.#open < this.#options.connections) this.#connect()
    }
  }

  close(): void {
    for (const socket of [...this.#idle, ...this.#busy.keys()]) socket.destroy()
  }

  #connect(): void {
    this.#open++
    const { port, ca } = this.#options
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['http/1.1'] })
    let got: Buffer = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.on('secureConnect', () => this.#release(socket))
    socket.on('data', (chunk: Buffer) => {
      got = got.length === 0 ? chunk : Buffer.concat([got, chunk])
      const answer = answerIn(got)
      if (answer === undefined) return
      got = got.subarray(answer.bytes)
      this.#note(answer.status, this.#busy.get(socket) ?? performance.now())
      this.#release(socket)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#open--
      const due = this.#busy.get(socket)
      if (due !== undefined) this.#note(0, due)
      this.#busy.delete(socket)
      const at = this.#idle.indexOf(socket)
      if (at >= 0) this.#idle.splice(at, 1)
    })
  }

  #note(status: number, due: number): void {
    const latencies = this.latenciesMs.get(status) ?? []
    latencies.push(performance.now() - due)
    this.latenciesMs.set(status, latencies)
  }

  #release(socket: TLSSocket): void {
    this.#busy.delete(socket)
    const due = this.#waiting.shift()
    if (due === undefined) this.#idle.push(socket)
    else this.#write(socket, due)
  }

  #write(socket: TLSSocket, due: number): void {
    this.#busy.set(socket, due)
    socket.write(this.#options.request(Date.now()))
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export async function openLoop(options: OpenLoop): Promise<OpenSample> {
  const connections = new Connections(options)
  const started = performance.now()
  const total = Math.round(options.perSecond * options.seconds)
  let sent = 0
  while (sent < total) {
    const due = Math.min(total, ((performance.now() - started) * options.perSecond) / 1000)
    for (; sent < due; sent++) connections.send(started + (sent * 1000) / options.perSecond)
    await wait(TICK_MS)
  }
  for (let waited = 0; connections.pending > 0 && waited < DRAIN_MS; waited += 50) await wait(50)
  const unanswered = connections.pending
  connections.close()
  await wait(50)
  const { latenciesMs } = connections
  const cut = latenciesMs.get(0) ?? []
  // Those that never got a connection.
  while (cut.length < unanswered) cut.push(Number.POSITIVE_INFINITY)
  if (cut.length > 0) latenciesMs.set(0, cut)
  return { latenciesMs, offered: total }
}
