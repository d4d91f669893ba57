/** From bindings to routes: challenge, api-version, body, kernel, answer. */
import { isIPv6 } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { Call } from '../../core/operation.ts'
import type { Principal } from '../../core/ports.ts'
import { bodyParser } from '../http/body.ts'
import { toKmsError } from '../http/errors.ts'
import { parseJson } from '../http/json.ts'
import { headOf } from '../http/request.ts'
import type { SurfaceServices, SurfaceSettings, WireContext } from '../surface.ts'
import { knows } from './api-version.ts'
import { type Authenticator, challenge } from './auth.ts'
import type { AzureRequest, BoundOperation } from './binding.ts'
import { BINDINGS } from './bindings/index.ts'
import { isShown } from './bundle.ts'
import { PATH_ROOTS } from './coverage.ts'
import { dataActionOf } from './data-actions.ts'
import { clientRequestId, commonHeaders, renderError } from './errors.ts'
import { checkApiVersion, checkMaxResults, checkSkipToken, type Origin, originOf } from './http.ts'
import { isManagedHsm } from './names.ts'

/** What the challenge hook has found out about a request. */
type Caller = { readonly origin: Origin; readonly principal: Principal }
const callers = new WeakMap<FastifyRequest, Caller>()

function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request)
  if (caller === undefined) throw new KmsError('internal')
  return caller
}

type Params = Readonly<Record<string, string | undefined>>
type Query = Readonly<Record<string, unknown>>

function readRequest(
  request: FastifyRequest,
  origin: Origin,
  binding: BoundOperation,
  settings: SurfaceSettings,
): AzureRequest<unknown> {
  const params = request.params as Params
  const query = request.query as Query
  const apiVersion = checkApiVersion(query['api-version'])
  if (binding.feature !== undefined && !knows(apiVersion, binding.feature)) throw new KmsError('unknown_operation')
  return {
    base: origin.base,
    apiVersion,
    managedHsm: isManagedHsm(origin.host) || settings.managedHsm(origin.host.vault),
    purgeProtected: settings.purgeProtected,
    name: params.name ?? '',
    version: params.version ?? '',
    limit: checkMaxResults(query.maxresults),
    after: checkSkipToken(query.$skiptoken),
    body: request.body,
  }
}

function addBinding(app: FastifyInstance, { kernel, clock, settings }: SurfaceServices, binding: BoundOperation): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const { origin, principal } = callerOf(request)
    const ctx: WireContext = { realm: { dialect: 'azure', vault: origin.host.vault }, settings, now: clock.now() }
    const wire = readRequest(request, origin, binding, settings)
    const echoed = clientRequestId(request.headers)
    const call: Call = {
      signal: request.deadline,
      requestId: request.id,
      address: request.client.address,
      dialect: 'azure',
      wire: binding.wire,
      right: dataActionOf(binding.wire, wire.managedHsm),
      principal,
      realm: ctx.realm,
      expresses: (key) => isShown(key, wire.apiVersion),
      ...(echoed !== undefined && { clientRequestId: echoed }),
    }
    const output = await binding.serve(kernel, wire, ctx, call)
    return reply.code(binding.status ?? 200).send(output)
  }
  const { method, bodyLimit } = binding
  for (const url of binding.paths) {
    app.route({ method, url, exposeHeadRoute: false, handler, ...(bodyLimit !== undefined && { bodyLimit }) })
  }
}

/** Their paths end with an operation's name; those of the others begin with it. */
const SERVED_ROOTS: ReadonlySet<string> = new Set(['keys', 'deletedkeys', 'secrets', 'deletedsecrets'])

/** What Azure has and this dialect doesn't, below its own roots. The challenge comes first there too. */
function addUnsupported(app: FastifyInstance): void {
  const handler = (request: FastifyRequest): never => {
    checkApiVersion((request.query as Query)['api-version'])
    const segments =
      (request.raw.url ?? '')
        .split('?', 1)[0]
        ?.split('/')
        .filter((segment) => segment !== '') ?? []
    const operation = SERVED_ROOTS.has(segments[0] ?? '') ? segments.at(-1) : segments[0]
    throw new KmsError('unimplemented', { operation: (operation ?? '').slice(0, 64) })
  }
  const all = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'] as const
  const taken = new Set(BINDINGS.flatMap(({ method, paths }) => paths.map((path) => `${method} ${path}`)))
  for (const root of PATH_ROOTS) {
    for (const url of [`/${root}`, `/${root}/*`]) {
      app.route({ method: all.filter((method) => !taken.has(`${method} ${url}`)), url, handler })
    }
  }
}

/** Undefined before the host is known: then its own domain says it. */
function managedHsmOf(request: FastifyRequest, settings: SurfaceSettings): boolean | undefined {
  const host = callers.get(request)?.origin.host
  return host && (isManagedHsm(host) || settings.managedHsm(host.vault))
}

/** The caller's address as the service saw it. */
function networkInfo(address = '0.0.0.0'): string {
  const [type, family] = isIPv6(address) ? ['Ipv6', 'InterNetworkV6'] : ['Ipv4', 'InterNetwork']
  return `conn_type=${type};addr=${address};act_addr_fam=${family};`
}

const JSON_DEPTH = 16

/** Clients name JSON on requests that have no body, and leave the type away on others. */
function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const json = bodyParser((body) => (body.length === 0 ? undefined : parseJson(body, { depth: JSON_DEPTH })))
  const none = bodyParser((body) => {
    if (body.length > 0) throw invalidArgument('request', 'The content type must be application/json.')
  })
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, json)
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, none)
}

export function serveBindings(app: FastifyInstance, services: SurfaceServices, authenticator: Authenticator): void {
  const { log, settings } = services
  addParsers(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(commonHeaders(request.headers, request.id))
    reply.header('x-ms-keyvault-network-info', networkInfo(request.client.address))
    const origin = originOf(request, settings)
    try {
      const principal = await authenticator.authenticate(
        request.headers.authorization,
        origin,
        request.client.certificate,
      )
      callers.set(request, { origin, principal })
    } catch (error) {
      if (KmsError.from(error).code === 'unauthenticated') reply.header('www-authenticate', challenge(origin, settings))
      throw error
    }
  })
  app.setErrorHandler((cause, request, reply) => {
    const error = toKmsError(cause, request.routeOptions.bodyLimit ?? 0)
    if (error.code === 'internal') log.error({ requestId: request.id, err: error.cause ?? error }, 'request failed')
    const { status, headers, body } = renderError(
      error,
      headOf(request.raw),
      request.id,
      managedHsmOf(request, settings),
    )
    return reply.code(status).headers(headers).send(body)
  })
  for (const binding of BINDINGS) addBinding(app, services, binding)
  addUnsupported(app)
}
