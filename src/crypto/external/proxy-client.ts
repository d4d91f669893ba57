/** The client's side of the XKS proxy API v1.0.3. No redirects, one deadline, bounded answers. */
import { type Agent, type RequestOptions, request } from 'node:https'
import {
  type ExternalFailure,
  externalFailure,
  type GatewayContext,
  type Opened,
  type ProxyPlace,
} from '../../core/key-store.ts'
import { agentFor, type ProxyEndpoint } from './endpoint.ts'
import { signRequest } from './sign.ts'

/** AWS KMS gives a proxy no more. */
const DEADLINE_MS = 250
/** Far above an encryption's largest answer. */
const MAX_ANSWER = 64 * 1024

export type ProxyOperation = 'metadata' | 'encrypt' | 'decrypt'

/** The specification's error names, and what they are to the core. */
const ERROR_NAMES: Readonly<Record<string, ExternalFailure>> = {
  ValidationException: 'invalid_request',
  InvalidStateException: 'key_state',
  InvalidCiphertextException: 'ciphertext',
  InvalidKeyUsageException: 'key_usage',
  AuthenticationFailedException: 'authentication',
  AccessDeniedException: 'access',
  KeyNotFoundException: 'key_not_found',
  InvalidUriPathException: 'uri_path',
  UnsupportedOperationException: 'unsupported',
  DependencyTimeoutException: 'dependency_timeout',
  ThrottlingException: 'throttled',
  InternalException: 'internal',
}

type Json = Readonly<Record<string, unknown>>
type RawAnswer = { readonly status: number; readonly text: string }
type Link = { readonly endpoint: ProxyEndpoint; readonly agent: Agent }

/** Node's names of what goes wrong before a request is sent. */
const isTlsError = (code: string): boolean =>
  code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || /CERT|SELF_SIGNED|UNABLE_TO_|EPROTO/.test(code)

function transportFailure(error: NodeJS.ErrnoException, timedOut: boolean): ExternalFailure {
  if (timedOut) return 'timeout'
  return isTlsError(error.code ?? '') ? 'tls' : 'unreachable'
}

function parse(text: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw externalFailure('malformed', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw externalFailure('malformed')
  return value as Json
}

export class ProxyClient {
  readonly #links: ReadonlyMap<string, Link>
  readonly #now: () => number

  constructor(endpoints: readonly ProxyEndpoint[], now: () => number) {
    this.#links = new Map(endpoints.map((endpoint) => [endpoint.endpoint, { endpoint, agent: agentFor(endpoint) }]))
    this.#now = now
  }

  /** @throws KmsError external_manager */
  health(place: Opened<ProxyPlace>, ctx: GatewayContext): Promise<Json> {
    return this.#call(place, `${place.path}/health`, { requestMetadata: metadata(ctx, undefined) }, ctx)
  }

  /** @throws KmsError external_manager */
  ask(
    place: Opened<ProxyPlace>,
    key: { readonly externalKeyId: string; readonly arn?: string },
    operation: ProxyOperation,
    body: Json,
    ctx: GatewayContext,
  ): Promise<Json> {
    const path = `${place.path}/keys/${key.externalKeyId}/${operation}`
    return this.#call(place, path, { requestMetadata: metadata(ctx, key.arn), ...body }, ctx)
  }

  close(): void {
    for (const { agent } of this.#links.values()) agent.destroy()
  }

  async #call(place: Opened<ProxyPlace>, path: string, body: Json, ctx: GatewayContext): Promise<Json> {
    const link = this.#links.get(place.endpoint)
    if (link === undefined) throw externalFailure('unreachable', new Error(`${place.endpoint} is not configured`))
    const { status, text } = await this.#send(link, place, path, JSON.stringify(body), ctx)
    if (status === 200) return parse(text)
    const { errorName } = parse(text)
    const failure = typeof errorName === 'string' && Object.hasOwn(ERROR_NAMES, errorName) && ERROR_NAMES[errorName]
    throw externalFailure(failure || 'malformed', new Error(`the proxy answered ${status}`))
  }

  async #send(link: Link, place: Opened<ProxyPlace>, path: string, body: string, ctx: GatewayContext) {
    const deadline = AbortSignal.timeout(link.endpoint.deadlineMs ?? DEADLINE_MS)
    const { hostname } = new URL(place.endpoint)
    const headers = {
      ...signRequest({ ...place, host: hostname, path, body, region: ctx.region, at: this.#now() }),
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    }
    const { address } = link.endpoint
    const options = {
      agent: link.agent,
      host: address?.host ?? hostname,
      port: address?.port ?? 443,
      method: 'POST',
      path,
      headers,
      signal: AbortSignal.any([deadline, ctx.signal]),
    }
    try {
      return await exchange(options, body).catch((error: Reused) => {
        // A kept connection may have been closed just now; these requests can be sent twice.
        if (error.reused !== true || deadline.aborted) throw error
        return exchange(options, body)
      })
    } catch (error) {
      throw externalFailure(transportFailure(error as NodeJS.ErrnoException, deadline.aborted), error)
    }
  }
}

type Reused = Error & { reused?: boolean }

function exchange(options: RequestOptions, body: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_ANSWER) response.destroy(new Error('the answer is too large'))
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    sent.on('error', (error: Reused & NodeJS.ErrnoException) => {
      error.reused = sent.reusedSocket && error.code === 'ECONNRESET'
      reject(error)
    })
    sent.end(body)
  })
}

/** Members that are not known are left out: a proxy's rules are on what is there. */
function metadata({ principal, requestId, wire }: GatewayContext, arn: string | undefined): Json {
  return {
    ...(principal !== undefined && { awsPrincipalArn: principal.aws?.arn ?? principal.id }),
    ...(arn !== undefined && { kmsKeyArn: arn }),
    kmsOperation: wire ?? 'KmsHealthCheck',
    kmsRequestId: requestId,
  }
}
