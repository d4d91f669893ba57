/** The AWS KMS dialect: one URL, and the operation's name in a header. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { KmsError } from '../../core/error.ts'
import { andThen } from '../../core/eventually.ts'
import type { Realm } from '../../core/key.ts'
import type { Clock } from '../../core/ports.ts'
import { answerText } from '../http/answer.ts'
import { bodyParser } from '../http/body.ts'
import { toKmsError } from '../http/errors.ts'
import { JsonError, type JsonLimits, parseJson } from '../http/json.ts'
import { type FaultKind, SignatureFault } from '../sigv4/fault.ts'
import type { Rendered, RequestHead, Surface, SurfaceServices } from '../surface.ts'
import { Authenticator, addressOf, type Caller, type Identities, type Pending, recordStranger } from './auth.ts'
import { AwsError, type AwsErrorType } from './aws-error.ts'
import { routes } from './bindings/index.ts'
import { coverage } from './coverage.ts'
import { CONTENT_TYPE, renderError } from './errors.ts'
import { OPERATIONS } from './gen/operations.ts'
import { isExpressible } from './names.ts'
import { type Quotas, RequestQuotas } from './quotas.ts'
import type { Route } from './route.ts'
import { renderStsError } from './sts/error.ts'
import { isSts, registerSts, STS_PATH } from './sts/index.ts'

const TARGET = 'TrentService.'
const PATH = '/@aws/'
const LIMITS: JsonLimits = { depth: 32 }
const MEDIA_TYPES = ['application/x-amz-json-1.1', 'application/x-amz-json-1.0']

const OPERATION_NAMES: ReadonlySet<string> = new Set(Object.keys(OPERATIONS))
const served: ReadonlyMap<string, Route> = new Map(routes.map((route) => [route.wire, route]))

/** The operation that the target header names; undefined for one that AWS does not have. */
function operationOf({ headers }: Pick<RequestHead, 'headers'>): string | undefined {
  const target = headers['x-amz-target']
  if (typeof target !== 'string' || !target.startsWith(TARGET)) return undefined
  const name = target.slice(TARGET.length)
  return OPERATION_NAMES.has(name) ? name : undefined
}

const isRoot = ({ method, url }: RequestHead): boolean => method === 'POST' && (url === '/' || url.startsWith('/?'))

function owns(head: RequestHead): boolean {
  const type = head.headers['content-type']
  return (
    isRoot(head) ||
    isSts(head) ||
    head.headers['x-amz-target'] !== undefined ||
    (typeof type === 'string' && type.startsWith('application/x-amz-json'))
  )
}

function rewrite(head: RequestHead): string | undefined {
  if (isSts(head)) return STS_PATH
  const operation = isRoot(head) ? operationOf(head) : undefined
  return operation === undefined ? undefined : `${PATH}${operation}`
}

/** The SDKs' id of an invocation, the same on every attempt. */
const INVOCATION_ID = /^[A-Za-z0-9_-]{1,64}$/
function invocationId(request: FastifyRequest): { readonly clientRequestId?: string } {
  const id = request.headers['amz-sdk-invocation-id']
  return typeof id === 'string' && INVOCATION_ID.test(id) ? { clientRequestId: id } : {}
}

async function answer(
  route: Route,
  request: FastifyRequest,
  caller: Caller,
  services: SurfaceServices,
  quotas: RequestQuotas | undefined,
): Promise<string> {
  const { kernel, clock, settings } = services
  const { address, secure } = request.client
  const realm = { dialect: 'aws', ...caller.address } as const
  const call = {
    dialect: 'aws',
    wire: route.wire,
    principal: caller.principal,
    realm,
    expresses: isExpressible,
    reaches: (other: Realm) => other.aws?.region === realm.region,
    signal: request.deadline,
    requestId: request.id,
    address,
    ...invocationId(request),
    ...(quotas && {
      admit: quotas.admitter(`${caller.address.account}/${caller.address.region}`, route.wire, request.body),
    }),
  } as const
  const transport = { address, secure, userAgent: request.headers['user-agent'] }
  const identity = caller.principal.aws
  return route.answer(request.body, kernel, call, { realm, settings, now: clock.now(), identity, transport })
}

/** What the service's front answers: to a media type that it does not read, and to a request that it can't. */
function frontError(error: KmsError): unknown {
  if (error.code !== 'invalid_argument') return error
  return new AwsError(error.params.field === 'content-type' ? 'UnknownOperationException' : 'SerializationException')
}

const FAULT_TYPES = {
  missing: 'MissingAuthenticationTokenException',
  incomplete: 'IncompleteSignatureException',
  invalid: 'InvalidSignatureException',
  unknown: 'UnrecognizedClientException',
  expired_token: 'ExpiredTokenException',
} as const satisfies Record<FaultKind, AwsErrorType>

/** Bad arguments are the front's business only where they did not come from the kernel. */
function asAwsError(error: unknown): unknown {
  if (error instanceof SignatureFault) return new AwsError(FAULT_TYPES[error.kind], error.message)
  if (error instanceof JsonError) return frontError(error)
  if (error instanceof AwsError || error instanceof KmsError) return error
  return frontError(toKmsError(error, 0))
}

function send(reply: FastifyReply, { status, headers, body }: Rendered): FastifyReply {
  return reply.code(status).headers(headers).send(body)
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What its head says of its signature, and whose it is once that is known. */
    awsPending: Pending | undefined
    awsCaller: Caller | undefined
  }
}

/** Signatures are verified over the bytes of the body, before anything is made of them. */
function registerAuthentication(app: FastifyInstance, authenticator: Authenticator): void {
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      request.awsPending = authenticator.begin(request, 'kms')
    } catch (error) {
      done(error as Error)
      return
    }
    done()
  })
  app.removeAllContentTypeParsers()
  const json = bodyParser((body, request) =>
    andThen(authenticator.finish(request, request.awsPending, body), (caller) => {
      request.awsCaller = caller
      return parseJson(body, LIMITS)
    }),
  )
  app.addContentTypeParser<Buffer>(MEDIA_TYPES, { parseAs: 'buffer' }, json)
}

/** SDKs sign by the server's date where theirs is far from it, so that they go along when dev's clock is set. */
function followClock(app: FastifyInstance, clock: Clock): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('date', new Date(clock.now()).toUTCString())
    done()
  })
}

function register(app: FastifyInstance, services: SurfaceServices, options: AwsOptions): void {
  const authenticator = new Authenticator({ ...options, ...services })
  const quotas = options.quotas && new RequestQuotas(options.quotas, services.clock)
  app.decorateRequest('awsPending')
  app.decorateRequest('awsCaller')
  if (services.settings.profile === 'dev') followClock(app, services.clock)
  app.register(async (scope) => registerSts(scope, services, options, authenticator))
  app.register(async (scope) => registerKms(scope, services, options, authenticator, quotas))
}

function registerKms(
  app: FastifyInstance,
  services: SurfaceServices,
  options: AwsOptions,
  authenticator: Authenticator,
  quotas: RequestQuotas | undefined,
): void {
  const { settings, log } = services
  registerAuthentication(app, authenticator)
  app.setErrorHandler(async (error, request, reply) => {
    const operation = operationOf(request) ?? ''
    if (error instanceof SignatureFault) await recordStranger(request, operation, services, options)
    const known = asAwsError(error)
    if (known instanceof KmsError && known.code === 'internal')
      log.error({ err: known, requestId: request.id }, operation)
    const address = request.awsCaller?.address ?? addressOf(request, settings)
    return send(reply, renderError(known, { address, wire: operation, requestId: request.id }))
  })
  for (const operation of OPERATION_NAMES) {
    const route = served.get(operation)
    app.post(`${PATH}${operation}`, async (request, reply) => {
      // A request without a body went past the parser.
      request.awsCaller ??= await authenticator.finish(request, request.awsPending, undefined)
      if (route === undefined) throw new KmsError('unimplemented', { operation })
      const body = await answer(route, request, request.awsCaller, services, quotas)
      return answerText(reply, ['x-amzn-requestid', request.id, 'content-type', CONTENT_TYPE], body)
    })
  }
}

/** `quotas`: none where absent. */
export type AwsOptions = Identities & { readonly quotas?: Quotas | undefined }

export const createAwsSurface = (options: AwsOptions): Surface => ({
  dialect: 'aws',
  coverage,
  owns,
  rewrite,
  register: (app, services) => register(app, services, options),
  render: (error, head, requestId) =>
    isSts(head)
      ? renderStsError(error, requestId)
      : renderError(frontError(error), { address: undefined, wire: operationOf(head) ?? '', requestId }),
})
