/** Unary gRPC on the same HTTP server: every method of the API is unary. */

import type { Http2ServerResponse } from 'node:http2'
import { type DescMethod, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { KmsError } from '../../core/error.ts'
import { bodyParser } from '../http/body.ts'
import { toKmsError } from '../http/errors.ts'
import type { RequestHead } from '../surface.ts'
import type { Dispatcher } from './dispatch.ts'
import { statusDetails, toRpcError } from './errors.ts'
import { encodeMessage, MAX_BODY, MAX_MESSAGE, readFrame, readTimeout, writeFrame } from './grpc-frame.ts'
import { METHODS } from './services.ts'
import { badArgument, RpcError, STATUS } from './status.ts'

const GRPC_TYPE = /^application\/grpc(?:\+proto)?\s*(?:;|$)/i
/** Any spelling of gRPC, those that are not served among them (`+json`, gRPC-Web): their clients read gRPC's statuses. */
const ANY_GRPC_TYPE = /^application\/grpc\b/i
/** setTimeout fires at once beyond this, ms. */
const LONGEST_TIMER = 2 ** 31 - 1

export const isGrpc = ({ headers }: Pick<RequestHead, 'headers'>): boolean =>
  typeof headers['content-type'] === 'string' && ANY_GRPC_TYPE.test(headers['content-type'])

const BY_PATH: ReadonlyMap<string, DescMethod> = new Map(
  METHODS.map(({ method }) => [`/${method.parent.typeName}/${method.name}`, method]),
)

export function statusTrailers(error: RpcError): Record<string, string> {
  const details = statusDetails(error)
  return {
    'grpc-status': String(STATUS[error.status].code),
    'grpc-message': encodeMessage(error.message),
    ...(details && { 'grpc-status-details-bin': Buffer.from(details).toString('base64').replace(/=+$/, '') }),
  }
}

const HEAD = { 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity,gzip' }

/**
 * Headers, message, trailers. An error has its status in trailers as well: Node's compatibility layer sends headers
 * without END_STREAM, and a status in them would not be a Trailers-Only answer.
 */
function send(reply: FastifyReply, message: Uint8Array | undefined, trailers: Record<string, string>): void {
  reply.hijack()
  const raw = reply.raw as unknown as Http2ServerResponse // gRPC requests that are not HTTP/2 were refused before
  if (raw.stream.destroyed) return
  raw.writeHead(200, HEAD)
  // Not stream.sendTrailers: the compatibility layer waits for trailers itself.
  raw.addTrailers(trailers)
  if (message === undefined) raw.end()
  else raw.end(writeFrame(message))
}

const sendError = (reply: FastifyReply, error: RpcError): void => send(reply, undefined, statusTrailers(error))

function decode(method: DescMethod, bytes: Uint8Array): Message {
  try {
    return fromBinary(method.input, bytes)
  } catch {
    throw badArgument(`The request is not a ${method.input.typeName}.`)
  }
}

type Limit = { readonly signal: AbortSignal; readonly expired: Promise<never>; readonly end: () => void }

/** The caller's deadline, the server's own, and the caller's leaving, whichever comes first. */
function limitOf(request: FastifyRequest, timeoutMs: number | undefined): Limit {
  const controller = new AbortController()
  let reject: (error: RpcError) => void = () => {}
  const expired = new Promise<never>((_resolve, refuse) => {
    reject = refuse
  })
  // Nobody may be waiting any more when it fires.
  expired.catch(() => {})
  const stop = (error: RpcError, reason: KmsError): void => {
    controller.abort(reason)
    reject(error)
  }
  const late = () => stop(new RpcError('DEADLINE_EXCEEDED', 'Deadline exceeded.'), new KmsError('backend_timeout'))
  const gone = () => stop(new RpcError('CANCELLED', 'The request was cancelled.'), new KmsError('backend_timeout'))
  const server = request.deadline
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, Math.min(timeoutMs, LONGEST_TIMER))
  server.addEventListener('abort', late, { once: true })
  request.raw.once('aborted', gone)
  const end = (): void => {
    clearTimeout(timer)
    server.removeEventListener('abort', late)
    request.raw.off('aborted', gone)
  }
  return { signal: controller.signal, expired, end }
}

/** Reads, executes and encodes one call. @throws RpcError */
async function call(dispatcher: Dispatcher, method: DescMethod, request: FastifyRequest): Promise<Uint8Array> {
  const { headers } = request
  if (!GRPC_TYPE.test(headers['content-type'] ?? '')) {
    throw new RpcError('UNIMPLEMENTED', 'Only application/grpc and application/grpc+proto are served.')
  }
  const admitted = await dispatcher.admit(method, request)
  const timeoutMs = readTimeout(headers['grpc-timeout'])
  const encoding = headers['grpc-encoding'] ?? 'identity'
  const limit = limitOf(request, timeoutMs)
  try {
    const message = decode(method, await readFrame(request.body as Uint8Array, String(encoding)))
    const caller = { requestId: request.id, signal: limit.signal, address: request.client.address }
    const answer = await Promise.race([dispatcher.execute(admitted, message, caller), limit.expired])
    return toBinary(method.output, answer)
  } finally {
    limit.end()
  }
}

async function handle(dispatcher: Dispatcher, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const path = (request.raw.url ?? '').split('?', 1)[0] ?? ''
  try {
    const method = BY_PATH.get(path)
    if (method === undefined) throw new RpcError('UNIMPLEMENTED', 'The method does not exist.')
    send(reply, await call(dispatcher, method, request), { 'grpc-status': '0' })
  } catch (thrown) {
    sendError(reply, dispatcher.report(toRpcError(thrown), request.id))
  }
}

/** Fastify's refusals of a body in gRPC's terms. */
function refusalOf(thrown: unknown, bodyLimit: number): RpcError {
  const error = toKmsError(thrown, bodyLimit)
  return error.code === 'payload_too_large'
    ? new RpcError('RESOURCE_EXHAUSTED', `Received message larger than max (${MAX_MESSAGE}).`)
    : toRpcError(error)
}

export function serveGrpc(app: FastifyInstance, dispatcher: Dispatcher): void {
  app.removeAllContentTypeParsers()
  const raw = bodyParser((body) => body)
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, raw)
  app.addHook('onRequest', async (request, reply) => {
    if (request.raw.httpVersionMajor === 2 && isGrpc(request)) return undefined
    const http2 = request.raw.httpVersionMajor === 2
    return reply
      .code(http2 ? 415 : 426)
      .headers(http2 ? {} : { upgrade: 'h2c', connection: 'upgrade' })
      .type('text/plain')
      .send('This path is for gRPC, over HTTP/2 and with the content type application/grpc.')
  })
  app.setErrorHandler((thrown, request, reply) => {
    sendError(reply, dispatcher.report(refusalOf(thrown, request.routeOptions.bodyLimit ?? 0), request.id))
  })
  // Of other packages than Google's: health and reflection, which gRPC clients ask for on their own.
  for (const url of ['/google.*', '/grpc.*']) {
    app.post(url, { bodyLimit: MAX_BODY }, (request, reply) => handle(dispatcher, request, reply))
  }
}
