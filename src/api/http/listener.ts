/**
 * One port for HTTP/1.1 and HTTP/2. A plain port tells them apart by the connection preface (RFC 9113 section 3.4), a
 * TLS port by ALPN. The HTTP/1.1 server owns the port, because Node watches header and request timeouts only on a
 * server that listens; HTTP/2 connections are handed to a second server that does not.
 */
import http, { type IncomingMessage } from 'node:http'
import http2, { type ServerHttp2Session } from 'node:http2'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type { Handler } from './request.ts'
import { asRequestListener } from './request.ts'

export type ListenerLimits = {
  /** All headers of one request, bytes. */
  readonly headerBytes: number
  /** Until a connection's first request's headers are complete. */
  readonly headersTimeoutMs: number
  /** Until a request is received completely. */
  readonly requestTimeoutMs: number
  /** Until an idle connection is closed. */
  readonly idleTimeoutMs: number
  /** Open at a time; one more is closed at once. */
  readonly maxConnections: number
}

export type TlsMaterial = SecureContextOptions & { readonly requestClientCert?: boolean }

export type ListenerOptions = {
  readonly limits: ListenerLimits
  readonly tls?: TlsMaterial
  readonly handler: Handler
  /** A CONNECT request, HTTP/1.1 only; refused with 405 when absent. */
  readonly onConnect?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** How often connections are looked over for timeouts: bounds the lateness of each. */
const CHECK_INTERVAL_MS = 500
const DRAIN_INTERVAL_MS = 25
/** Requests of one connection that are not yet answered: HTTP/2's streams, and what HTTP/1.1 sends ahead. */
const MAX_STREAMS = 256

type FrontServer = http.Server | https.Server
type ConnectionListener = (socket: Socket) => void

function createHttp2(options: ListenerOptions): http2.Http2Server {
  const { limits } = options
  const server = http2.createServer({
    settings: { maxHeaderListSize: limits.headerBytes, maxConcurrentStreams: MAX_STREAMS },
    unknownProtocolTimeout: limits.headersTimeoutMs,
  })
  server.on('request', options.handler)
  server.on('stream', (stream) => {
    // Twice the limit, so that a request that ran into its deadline is answered and not cut off. A timer of its own: the
    // stream's would begin anew with every byte that a slow client sends.
    const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 2 * limits.requestTimeoutMs).unref()
    stream.once('close', () => clearTimeout(timer))
  })
  // Node destroys the session itself; without a listener the error would end the process.
  server.on('sessionError', () => {})
  return server
}

/** Node begins every request it finds in what it has read; who sends that many ahead of the answers is cut off. */
function boundedPipeline(handler: Handler): Handler {
  const unanswered = new WeakMap<object, number>()
  return (request, response) => {
    const { socket } = request
    const open = (unanswered.get(socket) ?? 0) + 1
    if (open > MAX_STREAMS) socket.destroy()
    if (socket.destroyed) return
    unanswered.set(socket, open)
    response.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1))
    handler(request, response)
  }
}

function createFront(options: ListenerOptions): FrontServer {
  const { limits, tls } = options
  const shared = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    insecureHTTPParser: false,
    // A header sent twice becomes one that no check accepts, instead of one of the two.
    joinDuplicateHeaders: true,
  }
  const listener = asRequestListener(boundedPipeline(options.handler))
  if (tls === undefined) return http.createServer(shared, listener)
  const { requestClientCert = false, ...material } = tls
  return https.createServer(
    {
      ...shared,
      ...material,
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: limits.headersTimeoutMs,
      requestCert: requestClientCert,
      rejectUnauthorized: requestClientCert,
    },
    listener,
  )
}

/** Takes over one of Node's own listeners, to put a decision in front of it. */
function takeListener(server: FrontServer, event: 'connection' | 'secureConnection'): ConnectionListener {
  const listeners = server.listeners(event) as ConnectionListener[]
  const own = listeners.at(-1)
  if (own === undefined) throw new Error(`Node's HTTP server has no ${event} listener`)
  server.removeListener(event, own)
  return (socket) => own.call(server, socket)
}

const peer = (socket: Socket): string => `${socket.remoteAddress}|${socket.remotePort}`

export class Listener {
  readonly #front: FrontServer
  readonly #h2: http2.Http2Server
  readonly #limits: ListenerLimits
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()
  /** Connections that have not yet said which protocol they speak. */
  readonly #undecided = new Map<string, Socket>()

  constructor(options: ListenerOptions) {
    this.#limits = options.limits
    this.#h2 = createHttp2(options)
    this.#h2.on('session', (session) => this.#adopt(session))
    this.#front = createFront(options)
    this.#front.maxConnections = options.limits.maxConnections
    if (options.tls === undefined) this.#splitByPreface()
    else this.#splitByAlpn()
    this.#front.on(
      'connect',
      options.onConnect ?? ((_request, socket) => socket.end('HTTP/1.1 405 Method Not Allowed\r\n\r\n')),
    )
  }

  #adopt(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    session.setTimeout(this.#limits.idleTimeoutMs, () => session.close())
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    this.#undecided.set(peer(socket), socket)
    const key = peer(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#undecided.delete(key)
    })
  }

  #splitByAlpn(): void {
    const toHttp1 = takeListener(this.#front, 'secureConnection')
    this.#front.on('connection', (socket: Socket) => this.#track(socket))
    this.#front.on('secureConnection', (socket: TLSSocket) => {
      this.#undecided.delete(peer(socket))
      if (socket.alpnProtocol === 'h2') this.#h2.emit('connection', socket)
      else toHttp1(socket)
    })
  }

  #splitByPreface(): void {
    const toHttp1 = takeListener(this.#front, 'connection')
    this.#front.on('connection', (socket: Socket) => {
      this.#track(socket)
      this.#sniff(socket, (isHttp2) => {
        this.#undecided.delete(peer(socket))
        if (isHttp2) this.#h2.emit('connection', socket)
        else toHttp1(socket)
      })
    })
  }

  /** Reads as much as tells the protocols apart, gives it back and decides; silent connections are closed. */
  #sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
    let seen: Buffer = Buffer.alloc(0)
    const timer = setTimeout(() => socket.destroy(), this.#limits.headersTimeoutMs)
    const stop = (): void => {
      clearTimeout(timer)
      socket.off('readable', read)
      socket.off('error', fail)
      socket.off('close', stop)
    }
    const fail = (): void => {
      stop()
      socket.destroy()
    }
    const read = (): void => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
        seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
      }
      if (seen.length === 0) return
      const compared = Math.min(seen.length, PREFACE.length)
      const matches = seen.toString('latin1', 0, compared) === PREFACE.slice(0, compared)
      if (matches && compared < PREFACE.length) return
      stop()
      socket.unshift(seen)
      decide(matches)
    }
    socket.on('readable', read)
    socket.on('error', fail)
    socket.on('close', stop)
  }

  /** @returns the bound address; rejects with the system's error (EADDRINUSE and the like) */
  listen(address: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#front.once('error', reject)
      this.#front.listen({ host: address, port }, () => {
        this.#front.off('error', reject)
        resolve(this.#front.address() as AddressInfo)
      })
    })
  }

  /** Open now. */
  get connections(): number {
    return this.#sockets.size
  }

  /** For new connections. */
  setSecureContext(material: TlsMaterial): void {
    if ('setSecureContext' in this.#front) this.#front.setSecureContext(material)
  }

  /**
   * Accepts nothing more, lets requests in flight finish, then resolves. What is not finished after `deadlineMs` is cut off.
   * @returns how many connections were cut off
   */
  async close(deadlineMs: number): Promise<number> {
    const closed = new Promise<void>((resolve) => this.#front.close(() => resolve()))
    for (const socket of this.#undecided.values()) socket.destroy()
    for (const session of this.#sessions) session.close()
    // A connection that was busy becomes idle later, and would then wait for its client to leave.
    const drain = setInterval(() => this.#front.closeIdleConnections(), DRAIN_INTERVAL_MS)
    let cut = 0
    const deadline = setTimeout(() => {
      cut = this.#sockets.size
      for (const socket of this.#sockets) socket.destroy()
    }, deadlineMs)
    await closed
    clearInterval(drain)
    clearTimeout(deadline)
    this.#h2.close()
    return cut
  }
}
