/** What a request knows besides HTTP: the listener it came in by, and how long it may take. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { WireDialect } from '../../core/key.ts'
import type { RequestHead } from '../surface.ts'
import type { Client } from './client.ts'
import type { ClientAuthorities } from './client-certificate.ts'
import type { ProxyRules } from './proxy.ts'

export type ListenerInfo = {
  readonly tls: boolean
  readonly dialects: ReadonlySet<WireDialect>
  /** Only this machine can reach it. */
  readonly loopback: boolean
  /** Host (and port) that clients know it by; signatures are checked against it. Undefined: whatever they asked for. */
  readonly publicHost?: string | undefined
  /** Who is believed about the client; undefined: nobody. */
  readonly proxy?: ProxyRules | undefined
  /** Authorities of the certificates that clients show, and of those that a proxy hands on. */
  readonly clients?: ClientAuthorities | undefined
  readonly proxyClients?: ClientAuthorities | undefined
}

export type RawRequest = IncomingMessage | Http2ServerRequest
export type RawResponse = ServerResponse | Http2ServerResponse
export type Handler = (request: RawRequest, response: RawResponse) => void
/** One handler serves HTTP/1.1 and, through Node's compatibility layer, HTTP/2. */
export const asRequestListener = (handler: Handler): RequestListener => handler as RequestListener

const LISTENER = Symbol('listener')
type Marked = RawRequest & { [LISTENER]?: ListenerInfo }

export const markListener = (request: RawRequest, listener: ListenerInfo): void => {
  ;(request as Marked)[LISTENER] = listener
}
/** Requests that no listener brought in (Fastify's `inject`) have none. */
export const listenerOf = (request: RawRequest): ListenerInfo | undefined => (request as Marked)[LISTENER]

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined for injected requests. */
    readonly listener: ListenerInfo | undefined
    /** In place of Fastify's `ip` and `protocol`, which know nothing of the proxies in front. */
    readonly client: Client
    /** Aborts when the request has taken longer than limits.requestTimeoutMs; for CallContext.signal. */
    readonly deadline: AbortSignal
  }
}

/** The head with the URL as the client wrote it, whatever a surface rewrote it to. */
export function headOf(request: RawRequest): RequestHead {
  const original = (request as { originalUrl?: string }).originalUrl
  return { method: request.method ?? '', url: original ?? request.url ?? '', headers: request.headers }
}
