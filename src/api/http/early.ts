/** What is refused before anything is routed: an HTTP/2 request that no HTTP/1.1 one could be. */
import type http from 'node:http'
import type { ListenerInfo, RawRequest, RawResponse } from './request.ts'
import type { TunnelTarget } from './tunnel.ts'

/** Bytes as RFC 9113 section 6.5.2 counts them, without the 32 per field that HTTP/1.1 has no equal of. */
const headerBytesOf = (request: RawRequest): number => request.rawHeaders.reduce((sum, text) => sum + text.length, 0)

/**
 * What HTTP/1.1's parser does and HTTP/2's leaves to us. `:authority` takes the place of Host, and a request that says
 * both differently is nobody's. Node binds clients to the header limit only once they acknowledged it.
 */
export function http2Refusal(
  request: RawRequest,
  headerBytes: number,
): { status: number; message: string } | undefined {
  if (request.httpVersionMajor !== 2) return undefined
  if (headerBytesOf(request) > headerBytes) return { status: 431, message: 'too many bytes of headers' }
  const authority = request.headers[':authority']
  if (typeof authority === 'string') request.headers.host ??= authority
  const { host } = request.headers
  if (host === undefined) return { status: 400, message: 'neither :authority nor Host' }
  return authority === undefined || host === authority
    ? undefined
    : { status: 400, message: 'Host and :authority differ' }
}

export function refuseEarly(response: RawResponse, status: number, message: string): void {
  const body = JSON.stringify({ error: 'bad_request', message })
  ;(response as http.ServerResponse)
    .writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
    .end(body)
}

/** Where a listener's requests go: a server that takes it over changes that. */
export type Route = {
  dispatch(info: ListenerInfo, request: RawRequest, response: RawResponse): void
  tunnel(): TunnelTarget | undefined
}
