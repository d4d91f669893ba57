/** Syslog over TCP and TLS with the framings of RFC 6587 and RFC 5425, and over UDP (RFC 5426). */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect as connectTcp, isIP, isIPv6, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Sink } from './sink.ts'
import { syslogMessage } from './syslog-message.ts'
import type { ExportLine } from './tail.ts'

export type SyslogOptions = {
  readonly host: string
  readonly port: number
  readonly transport: 'tcp' | 'tls' | 'udp'
  /** `octet-counting` says each message's length before it; `newline` ends each with one. */
  readonly framing: 'octet-counting' | 'newline'
  /** PEM; absent: the public authorities. */
  readonly ca?: string | undefined
  readonly client?: { readonly cert: string; readonly key: string } | undefined
}

const CONNECT_MS = 5000
/** For saying goodbye. */
const END_MS = 200
/** A collector that reads nothing for that long is gone. */
const WRITE_MS = 10_000
/** Syslog acknowledges nothing: what was written to a connection that stands a while later is taken to have arrived. */
const SETTLE_MS = 1000

/** What fits into a datagram. */
const MAX_DATAGRAM = 65_000

const within = async <T>(work: Promise<T>, ms: number, what: string): Promise<T> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what} took longer than ${ms} ms`)), ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Over a connection. */
export class SyslogSink implements Sink {
  readonly settleMs = SETTLE_MS
  readonly #options: SyslogOptions
  #socket: Socket | undefined
  #lost: Error | undefined

  constructor(options: SyslogOptions) {
    this.#options = options
  }

  async send(lines: readonly ExportLine[]): Promise<void> {
    this.#socket ??= await within(this.#connect(), CONNECT_MS, 'connecting to the syslog server')
    const socket = this.#socket
    const bytes = Buffer.concat(lines.map((line) => this.#frame(syslogMessage(line))))
    const written = new Promise<void>((resolve, reject) =>
      socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    )
    await within(written, WRITE_MS, 'writing to the syslog server')
    this.check()
  }

  #frame(message: string): Buffer {
    const bytes = Buffer.from(message)
    return this.#options.framing === 'newline'
      ? Buffer.concat([bytes, Buffer.from('\n')])
      : Buffer.concat([Buffer.from(`${bytes.length} `), bytes])
  }

  #connect(): Promise<Socket> {
    const { host, port, transport, ca, client } = this.#options
    const name = isIP(host) === 0 ? { servername: host } : {}
    const secure = { host, port, ...name, ...(ca !== undefined && { ca }), ...client }
    const socket = transport === 'tls' ? connectTls(secure) : connectTcp({ host, port })
    this.#lost = undefined
    return new Promise((resolve, reject) => {
      const lost = (error: Error): void => {
        this.#lost ??= error
        socket.destroy()
        reject(error)
      }
      socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => resolve(socket))
      socket.on('error', lost)
      socket.once('end', () => lost(new Error('the syslog server closed the connection')))
      socket.once('close', () => lost(new Error('the connection to the syslog server was closed')))
      socket.setKeepAlive(true, 10_000)
      // Servers say nothing; what they say all the same must not fill up.
      socket.resume()
    })
  }

  check(): void {
    if (this.#lost !== undefined) throw this.#lost
  }

  async reset(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    this.#lost = undefined
    socket?.end()
    // One that takes nothing would be waited for.
    setTimeout(() => socket?.destroy(), END_MS).unref()
  }
}

/** In datagrams, of which nobody learns when one is lost. */
export class SyslogDatagramSink implements Sink {
  readonly settleMs = 0
  readonly #host: string
  readonly #port: number
  #socket: UdpSocket | undefined

  constructor({ host, port }: Pick<SyslogOptions, 'host' | 'port'>) {
    this.#host = host
    this.#port = port
  }

  async send(lines: readonly ExportLine[]): Promise<void> {
    this.#socket ??= createSocket(isIPv6(this.#host) ? 'udp6' : 'udp4').on('error', () => {})
    const socket = this.#socket
    for (const line of lines) {
      await new Promise<void>((resolve, reject) =>
        socket.send(Buffer.from(syslogMessage(line)).subarray(0, MAX_DATAGRAM), this.#port, this.#host, (error) =>
          error ? reject(error) : resolve(),
        ),
      )
    }
  }

  check(): void {}

  async reset(): Promise<void> {
    this.#socket?.close()
    this.#socket = undefined
  }
}
