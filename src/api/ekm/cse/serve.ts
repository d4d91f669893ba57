/** From a request to an answer. The tokens are in the body; one route takes all, since each tenant's paths are its own. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { KmsError } from '../../../core/error.ts'
import { externalPrincipal, NO_ACTIONS } from '../../../core/exposed.ts'
import type { Call } from '../../../core/operation.ts'
import { getKey } from '../../../core/ops/get-key.ts'
import { bodyParser } from '../../http/body.ts'
import { toKmsError } from '../../http/errors.ts'
import { parseJson } from '../../http/json.ts'
import { headOf } from '../../http/request.ts'
import type { SurfaceServices } from '../../surface.ts'
import type { Found } from '../paths.ts'
import type { Noted } from './auth.ts'
import { ACTIONS, type BoundRoute, type CseRequest } from './binding.ts'
import { BINDINGS } from './bindings/index.ts'
import { CseFault, Denial, renderError, renderFault } from './errors.ts'
import { Fields } from './fields.ts'
import { MAX, sanitized } from './names.ts'
import type { Tenant } from './tenant.ts'

export const ROUTE = '/@cse'
/** Where Google's pages call from. */
export const ORIGIN = 'https://client-side-encryption.google.com'
const JSON_DEPTH = 8
const PREFLIGHT_SECONDS = '3600'

export type CseDeps = {
  find(url: string): Found<Tenant> | undefined
  homeRealm(): string
  readonly version: string
}

const ROUTES: ReadonlyMap<string, BoundRoute> = new Map(BINDINGS.map((one) => [one.wire, one]))

function statusOf(tenant: Tenant, version: string): object {
  const on = BINDINGS.filter(({ isOn }) => isOn?.(tenant) !== false).map(({ wire }) => wire)
  return {
    server_type: 'KACLS',
    vendor_id: 'Trefoil',
    version,
    name: tenant.config.name,
    kacls_url: tenant.config.url,
    operations_supported: ['status', 'certs', ...on],
  }
}

/** Browsers ask first, and read an answer only where this origin is named in it, a refusal as well. */
function allowPages(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('vary', 'Origin')
  if (request.headers.origin !== ORIGIN) return
  reply.header('access-control-allow-origin', ORIGIN)
  if (request.method !== 'OPTIONS') return
  reply.headers({
    'access-control-allow-methods': 'GET, POST, OPTIONS',
    'access-control-allow-headers': request.headers['access-control-request-headers'] ?? 'content-type',
    'access-control-max-age': PREFLIGHT_SECONDS,
    // A public page may call an address of a private network only where that says so.
    ...(request.headers['access-control-request-private-network'] === 'true' && {
      'access-control-allow-private-network': 'true',
    }),
  })
}

export function serveCse(app: FastifyInstance, services: SurfaceServices, deps: CseDeps): void {
  const { kernel, clock, log } = services
  const json = bodyParser((body) => (body.length === 0 ? undefined : parseJson(body, { depth: JSON_DEPTH })))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer', bodyLimit: MAX.body }, json)
  app.addHook('onRequest', async (request, reply) => allowPages(request, reply))

  app.setErrorHandler((cause, request, reply) => {
    if (cause instanceof CseFault) return answer(reply, renderFault(cause))
    const error = toKmsError(cause, MAX.body)
    if (error.code === 'internal') log.error({ requestId: request.id, err: error.cause ?? error }, 'request failed')
    return answer(reply, renderError(error))
  })

  const serve = async (
    tenant: Tenant,
    route: BoundRoute,
    request: FastifyRequest,
    signal: AbortSignal,
  ): Promise<object> => {
    const { config } = tenant
    const fields = new Fields(request.body)
    const reason = sanitized(fields.optional('reason', MAX.reason) ?? '')
    const noted: Noted = { user: undefined, behalf: { reason } }
    const call = (actions: ReadonlySet<string>, rule?: string): Call => ({
      signal,
      requestId: request.id,
      dialect: 'ekm',
      wire: `cse/${route.wire}`,
      principal: externalPrincipal('bearer', config.name, noted.user ?? ''),
      realm: { dialect: 'system', realmId: deps.homeRealm() },
      address: request.client.address,
      exposed: { exposure: config.name, key: 'wrapping', actions, behalf: noted.behalf, rule },
    })
    const asked: CseRequest = {
      tenant,
      fields,
      noted,
      signal,
      now: clock.now(),
      execute: (operation, input) => kernel.execute(operation, input, call(ACTIONS)),
    }
    try {
      return await route.serve(asked)
    } catch (error) {
      if (error instanceof CseFault && error.outcome === 'unauthenticated') await kernel.stranger(call(NO_ACTIONS))
      if (!(error instanceof Denial)) throw error
      const denied = new KmsError('access_denied', { action: route.wire })
      return kernel.refuse(getKey, call(NO_ACTIONS, error.rule), denied).catch((thrown: unknown) => {
        throw thrown === denied ? error : thrown
      })
    }
  }

  app.all(ROUTE, async (request, reply) => {
    const found = deps.find(headOf(request.raw).url)
    if (found === undefined) throw new KmsError('unknown_operation')
    const { exposure: tenant, rest } = found
    if (request.method === 'OPTIONS') return reply.code(204).send()
    reply.header('cache-control', 'no-store')
    const name = rest.slice(1)
    if (request.method === 'GET' && name === 'status') return statusOf(tenant, deps.version)
    if (request.method === 'GET' && name === 'certs') return (await tenant.signing?.jwks()) ?? { keys: [] }
    const route = ROUTES.get(name)
    if (route === undefined || request.method !== 'POST') throw new KmsError('unknown_operation')
    if (route.isOn?.(tenant) === false) throw new KmsError('unimplemented', { operation: route.wire })
    const admitted = tenant.gate.enter()
    reply.raw.once('close', () => admitted.leave())
    return reply.send(await admitted.inTime(serve(tenant, route, request, admitted.signal)))
  })
}

type Answer = ReturnType<typeof renderError>
const answer = (reply: FastifyReply, { status, headers, body }: Answer): FastifyReply =>
  reply.code(status).headers(headers).send(body)
