/** Syslog servers and collectors that read strictly, and do to their clients what the test wants. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTls, type TlsOptions } from 'node:tls'
import type { Test } from 'tap'

export type Message = {
  readonly priority: number
  readonly name: string
  readonly sequence: number
  readonly record: Record<string, unknown>
}

const HEADER =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([\x21-\x7e]{1,255}) trefoil (\d+) ([\x21-\x7e]{1,32}) \[meta sequenceId="(\d+)"\] (\{.*\})$/s

/** @throws for what RFC 5424 does not allow */
export function parseMessage(text: string): Message {
  const match = HEADER.exec(text)
  if (match === null) throw new Error(`not RFC 5424: ${text}`)
  const [, priority, , , , name = '', sequence, json = ''] = match
  return { priority: Number(priority), name, sequence: Number(sequence), record: JSON.parse(json) }
}

/** Takes complete messages off the front. @throws for a frame that is none */
function unframe(buffer: Buffer, framing: 'octet-counting' | 'newline'): { messages: string[]; rest: Buffer } {
  const messages: string[] = []
  let rest = buffer
  for (;;) {
    if (framing === 'newline') {
      const end = rest.indexOf('\n')
      if (end === -1) return { messages, rest }
      messages.push(rest.toString('utf8', 0, end))
      rest = rest.subarray(end + 1)
      continue
    }
    const space = rest.indexOf(' ')
    if (space === -1) return { messages, rest }
    const digits = rest.toString('latin1', 0, space)
    if (!/^[1-9]\d{0,9}$/.test(digits)) throw new Error(`no length: ${digits}`)
    const end = space + 1 + Number(digits)
    if (rest.length < end) return { messages, rest }
    messages.push(rest.toString('utf8', space + 1, end))
    rest = rest.subarray(end)
  }
}

export type SyslogServer = {
  readonly port: number
  readonly messages: Message[]
  /** Ends every connection, as a server does that is started again. */
  drop(): void
  /** From now on reads nothing, or reads again. */
  pause(paused: boolean): void
  close(): Promise<void>
}

export async function syslogServer(
  t: Test,
  options: { readonly framing?: 'octet-counting' | 'newline'; readonly tls?: TlsOptions; readonly port?: number } = {},
): Promise<SyslogServer> {
  const messages: Message[] = []
  const sockets = new Set<Socket>()
  let paused = false
  const serve = (socket: Socket): void => {
    let buffer: Buffer = Buffer.alloc(0)
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      const { messages: more, rest } = unframe(Buffer.concat([buffer, chunk]), options.framing ?? 'octet-counting')
      buffer = rest
      messages.push(...more.map(parseMessage))
    })
    if (paused) socket.pause()
  }
  const server: Server = options.tls === undefined ? createServer(serve) : createTls(options.tls, serve)
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  t.teardown(close)
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    drop() {
      for (const socket of sockets) socket.destroy()
    },
    pause(wanted) {
      paused = wanted
      for (const socket of sockets) paused ? socket.pause() : socket.resume()
    },
    close,
  }
}

export async function syslogDatagrams(t: Test) {
  const messages: Message[] = []
  const socket = createSocket('udp4').on('message', (bytes) => void messages.push(parseMessage(bytes.toString('utf8'))))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return { port: socket.address().port, messages }
}

/** `statuses`: of the first answers; 200 after them. 0 cuts the connection after the body was taken. */
export async function collector(t: Test, statuses: number[] = []) {
  const batches: { readonly headers: NodeJS.Dict<string | string[]>; readonly lines: Record<string, unknown>[] }[] = []
  const server = createHttp((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    request.once('end', () => {
      const status = statuses.shift() ?? 200
      if (status === 0 || status === 200) {
        const lines = text.split('\n').slice(0, -1)
        batches.push({ headers: request.headers, lines: lines.map((line) => JSON.parse(line)) })
      }
      if (status === 0) request.socket.destroy()
      else response.writeHead(status).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/audit`, batches }
}

/** In the order in which each was first seen. */
export const firstSeen = (seqs: readonly unknown[]): unknown[] => [...new Set(seqs)]
export const upTo = (last: number): number[] => Array.from({ length: last }, (_none, index) => index + 1)
