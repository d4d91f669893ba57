/** The server with this dialect alone on a plain port of its own, over a kernel with a memory store. */
import { once } from 'node:events'
import http2, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import { create, type DescMessage, type DescMethodUnary, fromBinary, toBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import pino from 'pino'
import { type ErrorInfo, ErrorInfoSchema } from '../../src/api/gcp/gen/google/rpc/error_details_pb.js'
import { type Status, StatusSchema } from '../../src/api/gcp/gen/google/rpc/status_pb.js'
import { createGcpSurface } from '../../src/api/gcp/index.ts'
import { TokenVerifier } from '../../src/api/oidc/verifier.ts'
import { createServer } from '../../src/api/server.ts'
import type { CallersConfig } from '../../src/config/callers.ts'
import { type AuthMode, type Config, loadConfig } from '../../src/config.ts'
import { type KernelOptions, makeKernel } from '../support/kernel.ts'

export const LOCATION = 'projects/local/locations/global'

export type RestAnswer = {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of any answer
  readonly body: any
}
export type GrpcAnswer = {
  /** HTTP's. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly body: Buffer
  readonly code: number
  /** As grpc-js shows it. */
  readonly message: string
  readonly details: Status | undefined
}

export const frame = (message: Uint8Array, flag = 0): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix[0] = flag
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

export const errorInfo = (answer: GrpcAnswer): ErrorInfo | undefined =>
  answer.details?.details.map((any) => anyUnpack(any, ErrorInfoSchema)).find((info) => info !== undefined)

export type CallOptions = { readonly headers?: OutgoingHttpHeaders; readonly signal?: AbortSignal }

type Overrides = {
  readonly profile?: Config['profile']
  readonly auth?: AuthMode
  readonly limits?: Partial<Config['limits']>
  readonly callers?: CallersConfig['gcp']
}
const NOBODY: CallersConfig['gcp'] = { issuers: [], serviceAccounts: [], audiences: [] }

export async function makeGcp(
  { auth = 'off', limits, callers = NOBODY, ...overrides }: Overrides = {},
  options: KernelOptions = {},
) {
  const kernel = await makeKernel(options)
  const issuers = [...callers.issuers, ...callers.serviceAccounts]
  const verifier = new TokenVerifier({ issuers, clock: kernel.clock, failed: () => {} })
  const config = loadConfig({ env: { TREFOIL_PORT: '0', TREFOIL_TLS_PORT: '0' } })
  const server = await createServer({
    config: {
      ...config,
      ...overrides,
      limits: { ...config.limits, ...limits },
      listeners: config.listeners.filter(({ tls }) => tls === undefined),
      auth: { ...config.auth, gcp: auth },
    },
    surfaces: [createGcpSurface({ ...callers, verifier })],
    services: { kernel: kernel.kernel, clock: kernel.clock, log: pino({ level: 'silent' }) },
    readiness: [],
  })
  const [bound] = await server.start()
  if (bound === undefined) throw new Error('nothing is listening')
  const session = http2.connect(bound.url)
  session.on('error', () => {})

  const rest = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RestAnswer> => {
    const response = await fetch(`${bound.url}/v1/${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text }
  }

  /** One HTTP/2 exchange with a body of any bytes. */
  const raw = async (path: string, body: Uint8Array, { headers, signal }: CallOptions = {}): Promise<GrpcAnswer> => {
    const stream = session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
      signal === undefined ? {} : { signal },
    )
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    stream.on('response', (received) => {
      head = received
    })
    stream.on('trailers', (received) => {
      trailers = received
    })
    stream.end(body)
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'close')
    const shown = trailers['grpc-status'] === undefined ? head : trailers
    const bin = shown['grpc-status-details-bin']
    return {
      status: Number(head[':status']),
      headers: head,
      trailers,
      body: Buffer.concat(chunks),
      code: Number(shown['grpc-status']),
      message: decodeURI(String(shown['grpc-message'] ?? '')),
      details: typeof bin === 'string' ? fromBinary(StatusSchema, Buffer.from(bin, 'base64')) : undefined,
    }
  }

  const grpc = async <In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageInitShape<In>,
    options: CallOptions = {},
  ): Promise<{ readonly answer: GrpcAnswer; readonly message: MessageShape<Out> | undefined }> => {
    const bytes = toBinary(method.input, create(method.input, request))
    const answer = await raw(`/${method.parent.typeName}/${method.name}`, frame(bytes), options)
    return { answer, message: answer.code === 0 ? fromBinary(method.output, answer.body.subarray(5)) : undefined }
  }

  const close = async (): Promise<void> => {
    session.close()
    await server.stop()
  }
  return { ...kernel, url: bound.url, port: bound.port, rest, raw, grpc, close, server }
}
export type TestGcp = Awaited<ReturnType<typeof makeGcp>>
