/** From a request to an answer: certificate, version, body, exposure, kernel. One route takes all paths. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AzureEkmExposed, AzureEkmKey } from '../../../config/exposures/azure-ekm.ts'
import { KmsError } from '../../../core/error.ts'
import { externalPrincipal, NO_ACTIONS } from '../../../core/exposed.ts'
import type { Call } from '../../../core/operation.ts'
import type { Clock } from '../../../core/ports.ts'
import { bodyParser } from '../../http/body.ts'
import { checker } from '../../http/checker.ts'
import { toKmsError } from '../../http/errors.ts'
import { type Admitted, Gate, rateLimit } from '../../http/gate.ts'
import { parseJson } from '../../http/json.ts'
import { headOf } from '../../http/request.ts'
import type { Rendered, SurfaceServices } from '../../surface.ts'
import { type PathTable, pathOf } from '../paths.ts'
import { authenticate } from './auth.ts'
import { type BoundOperation, type Prepared, shownOf } from './binding.ts'
import { BINDINGS } from './bindings/index.ts'
import { EkmFault, renderError } from './errors.ts'
import { API_VERSION, type Place, placeOf, type Verb } from './names.ts'
import { PlainBody } from './schemas.ts'

export const ROUTE = '/@azure-ekm'
const JSON_DEPTH = 8
/** The longest value in base64url, and facts of 256 characters each. */
const BODY_BYTES = 16 * 1024
const VENDOR = 'Trefoil'

const ACTIONS: ReadonlySet<string> = new Set(['get-version', 'encrypt', 'decrypt', 'raw-encrypt', 'raw-decrypt'])
const OPERATIONS: ReadonlyMap<Verb, BoundOperation> = new Map(BINDINGS.map((one) => [one.wire, one]))
const checkPlain = checker(PlainBody)

/** An exposure with what is made of it once. */
export type Tenant = {
  readonly exposure: AzureEkmExposed
  readonly path: string
  readonly keys: ReadonlyMap<string, AzureEkmKey>
  readonly gate: Gate
  /** @throws KmsError throttled */
  count(): void
}
export const tenantOf = (exposure: AzureEkmExposed, clock: Clock): Tenant => ({
  exposure,
  path: exposure.path,
  keys: new Map(exposure.keys.map((key) => [key.id, key])),
  gate: new Gate(exposure.deadlineMs),
  count: rateLimit(exposure.quota?.perSecond, clock),
})

export type AzureEkmDeps = {
  tenants(): PathTable<Tenant>
  homeRealm(): string
  /** What no key can be used without. Rejects while it is not there. */
  ready(): Promise<void>
  /** Of this software. */
  readonly version: string
}

type Caller = {
  readonly tenant: Tenant
  readonly place: Place
  readonly admitted: Admitted
  readonly commonName: string
}
const callers = new WeakMap<FastifyRequest, Caller>()

/** @throws EkmFault for another version, none, or several */
function checkVersion(url: string): void {
  const versions = new URLSearchParams(url.slice(pathOf(url).length)).getAll('api-version')
  if (versions.length === 1 && versions[0] === API_VERSION) return
  throw new EkmFault('version', `The one that is supported is ${API_VERSION}.`)
}

class EkmProxy {
  readonly #services: SurfaceServices
  readonly #deps: AzureEkmDeps

  constructor(services: SurfaceServices, deps: AzureEkmDeps) {
    this.#services = services
    this.#deps = deps
  }

  /** Before the body is read. A prefix that nobody has is answered as one that the caller may not use. */
  begin(request: FastifyRequest, reply: FastifyReply): Caller {
    const { method, url } = headOf(request.raw)
    const place = placeOf(pathOf(url))
    const tenants = this.#deps.tenants()
    const tenant = place === undefined ? tenants.find(url)?.exposure : tenants.get(place.prefix)
    const commonName = authenticate(request.client, tenant?.exposure.clients ?? [])
    if (place === undefined || tenant === undefined) throw new EkmFault('path')
    if (method !== 'POST') throw new EkmFault('method')
    checkVersion(url)
    const admitted = tenant.gate.enter()
    reply.raw.once('close', () => admitted.leave())
    tenant.count()
    return { tenant, place, admitted, commonName }
  }

  async answer(caller: Caller, request: FastifyRequest): Promise<object> {
    const { tenant, place, admitted } = caller
    if (place.on === 'proxy') {
      checkPlain(request.body ?? {})
      await admitted.inTime(this.#deps.ready())
      return {
        api_version: API_VERSION,
        proxy_vendor: VENDOR,
        proxy_name: VENDOR,
        ekm_vendor: VENDOR,
        ekm_product: `${VENDOR} ${this.#deps.version}`,
      }
    }
    const operation = OPERATIONS.get(place.verb)
    if (operation === undefined) throw new EkmFault('path')
    const prepared = operation.read(request.body ?? {})
    return admitted.inTime(this.#serve(caller, tenant.keys.get(place.id), prepared, request))
  }

  #serve(caller: Caller, key: AzureEkmKey | undefined, prepared: Prepared, request: FastifyRequest): Promise<object> {
    const { kernel } = this.#services
    const call = this.#call(caller, key, prepared, request)
    if (key !== undefined) return prepared.serve(kernel, shownOf(key), call)
    const reference = call.exposed?.key ?? ''
    return kernel.refuse(prepared.operation, call, new KmsError('key_not_found', { reference }))
  }

  #call(
    { tenant, place, admitted, commonName }: Caller,
    key: unknown,
    { context }: Prepared,
    request: FastifyRequest,
  ): Call {
    const { exposure } = tenant
    const { request_id: requestId = context.correlation_id, correlation_id: correlation, pool_name: pool } = context
    return {
      signal: admitted.signal,
      requestId: request.id,
      ...(requestId !== undefined && { clientRequestId: requestId }),
      address: request.client.address,
      dialect: 'ekm',
      wire: `azure/${place.on === 'key' ? place.verb : 'info'}`,
      principal: externalPrincipal('mtls', exposure.name, commonName),
      realm: { dialect: 'system', realmId: this.#deps.homeRealm() },
      exposed: {
        exposure: exposure.name,
        key: place.on === 'key' ? place.id : undefined,
        actions: key === undefined ? NO_ACTIONS : ACTIONS,
        behalf: { principal: pool, correlation },
      },
    }
  }
}

const send = (reply: FastifyReply, { status, headers, body }: Rendered): FastifyReply =>
  reply.code(status).headers(headers).send(body)

export function serveAzureEkm(app: FastifyInstance, services: SurfaceServices, deps: AzureEkmDeps): void {
  const { log } = services
  const proxy = new EkmProxy(services, deps)
  const json = bodyParser((body) => (body.length === 0 ? undefined : parseJson(body, { depth: JSON_DEPTH })))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, json)
  app.addHook('onRequest', async (request, reply) => {
    callers.set(request, proxy.begin(request, reply))
  })
  app.setErrorHandler((cause, request, reply) => {
    if (cause instanceof EkmFault) return send(reply, renderError(cause))
    const error = toKmsError(cause, BODY_BYTES)
    if (error.code === 'internal') log.error({ requestId: request.id, err: error.cause ?? error }, 'request failed')
    return send(reply, renderError(error))
  })
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const caller = callers.get(request)
    if (caller === undefined) throw new KmsError('internal')
    return reply.type('application/json; charset=utf-8').send(await proxy.answer(caller, request))
  }
  app.all(ROUTE, { bodyLimit: BODY_BYTES }, handler)
}
