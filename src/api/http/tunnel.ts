/**
 * CONNECT on the plain port, dev only: resolvers that do not know `*.vault.localhost` are no obstacle when the client
 * uses this port as its proxy. Every tunnel ends at Trefoil's own TLS port, whatever name was asked for.
 */
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { splitHost } from './hosts.ts'

export type TunnelTarget = { readonly address: string; readonly port: number }

const HTTPS_PORT = 443
const AZURE = /^[a-z0-9-]+\.(vault|managedhsm)\.azure\.net$/

/** Whether a CONNECT target means this server's TLS port. */
export function mayTunnel(target: string, vaultDomain: string, tlsPort: number): boolean {
  const host = splitHost(target)
  if (host?.port === undefined) return false
  if (host.name === 'localhost') return host.port === tlsPort
  const ours = AZURE.test(host.name) || host.name === vaultDomain || host.name.endsWith(`.${vaultDomain}`)
  return ours && (host.port === tlsPort || host.port === HTTPS_PORT)
}

const refuse = (socket: Duplex, status: string, reason: string): void => {
  const body = `${JSON.stringify({ error: 'tunnel_refused', message: reason })}\n`
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
}

function join(client: Duplex, server: Socket): void {
  client.on('error', () => server.destroy())
  server.on('error', () => client.destroy())
  client.on('close', () => server.destroy())
  server.on('close', () => client.destroy())
  server.pipe(client)
  client.pipe(server)
}

/** @param target asked per request: the TLS port is known only once it is bound; undefined refuses every tunnel */
export function tunnelHandler(vaultDomain: string, target: () => TunnelTarget | undefined) {
  return (request: IncomingMessage, client: Duplex, head: Buffer): void => {
    client.on('error', () => client.destroy())
    const own = target()
    if (
      own === undefined ||
      request.headers.origin !== undefined ||
      !mayTunnel(request.url ?? '', vaultDomain, own.port)
    ) {
      refuse(client, '403 Forbidden', 'this proxy leads to the TLS port of this Trefoil and nowhere else')
      return
    }
    const server = connect(own.port, own.address)
    server.once('error', () => refuse(client, '502 Bad Gateway', 'the TLS port does not answer'))
    server.once('connect', () => {
      server.removeAllListeners('error')
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      if (head.length > 0) server.write(head)
      join(client, server)
    })
  }
}
