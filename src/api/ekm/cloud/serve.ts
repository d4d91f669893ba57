/** From a request to an answer: token, path, fields, rules, kernel. One route takes all, since keys' paths are their own. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CloudEkmConfig } from '../../../config/exposures/cloud-ekm.ts'
import { KmsError } from '../../../core/error.ts'
import { externalPrincipal, NO_ACTIONS } from '../../../core/exposed.ts'
import type { Call } from '../../../core/operation.ts'
import { bodyParser } from '../../http/body.ts'
import { toKmsError } from '../../http/errors.ts'
import { parseJson } from '../../http/json.ts'
import { headOf } from '../../http/request.ts'
import type { KeySetPool } from '../../oidc/key-set-pool.ts'
import { TokenVerifier } from '../../oidc/verifier.ts'
import type { SurfaceServices } from '../../surface.ts'
import type { Found } from '../paths.ts'
import { authenticate } from './auth.ts'
import type { BoundMethod } from './binding.ts'
import { BINDINGS } from './bindings/index.ts'
import { CloudFault, renderError, renderFault } from './errors.ts'
import { Fields } from './fields.ts'
import { type Place, placeOf } from './names.ts'
import { REASON_FIELD, Rules, reasonOf } from './rules.ts'

export const ROUTE = '/@cloud-ekm'
const JSON_DEPTH = 16
/** Of what is only recorded. */
const MAX_NOTE = 512

export type Tenant = {
  readonly exposure: CloudEkmConfig
  readonly path: string
  readonly verifier: TokenVerifier
  readonly rules: Rules
}
export function tenantOf(exposure: CloudEkmConfig, clock: SurfaceServices['clock'], keySets: KeySetPool): Tenant {
  const verifier = new TokenVerifier({ issuers: [exposure.issuer], clock, keySets })
  void verifier.warm()
  return { exposure, path: exposure.path, verifier, rules: new Rules(exposure) }
}

export type CloudDeps = {
  /** The tenant that a URL is of. */
  find(head: ReturnType<typeof headOf>): Found<Tenant> | undefined
  homeRealm(): string
  readonly version: string
}

type Caller = Found<Tenant> & { readonly email: string }
const callers = new WeakMap<FastifyRequest, Caller>()

const METHODS: ReadonlyMap<string, BoundMethod> = new Map(BINDINGS.map((one) => [`${one.on} ${one.wire}`, one]))

/** What Google says of the request behind this one. */
function behalfOf(fields: Fields) {
  const context = fields.object('additionalContext')
  const reason = reasonOf(context?.object('accessReasonContext') ?? fields.object('accessReasonContext'))
  const key = context?.text('relativeResourceName') ?? context?.text('fullResourceName')
  return { reason, healthCheck: context?.flag('isKeyHealthCheck') ?? false, key: key?.slice(0, MAX_NOTE) }
}

type Verdict = { readonly rule: 'reason' | 'not-coordinated' | 'not-shown' | undefined; readonly fault: CloudFault }

/** Why the exposure refuses; the kernel records it, and then the caller is told. */
function refusalOf(method: BoundMethod, grant: ReturnType<Rules['grant']>, behalf: ReturnType<typeof behalfOf>) {
  const refuse = (rule: NonNullable<Verdict['rule']>, fault: CloudFault): Verdict => ({ rule, fault })
  if (grant.actions === NO_ACTIONS) return refuse('not-shown', new CloudFault('not_found'))
  if (method.coordinated === true && grant.space === undefined) {
    return refuse('not-coordinated', new CloudFault('unsupported'))
  }
  const excused = !method.justified || (method.wire === 'wrap' && behalf.healthCheck)
  if (excused || grant.reasons === undefined || grant.reasons.has(behalf.reason)) return undefined
  const description = 'this justification is not allowed for the key'
  return refuse('reason', new CloudFault('denied', { field: REASON_FIELD, description }))
}

const placeName = (place: Place): string | undefined =>
  place.on === 'key'
    ? [place.space, place.id].filter(Boolean).join('/')
    : place.on === 'space'
      ? place.space
      : undefined

export function serveCloudEkm(app: FastifyInstance, services: SurfaceServices, deps: CloudDeps): void {
  const { kernel, log } = services
  const json = bodyParser((body) => (body.length === 0 ? {} : parseJson(body, { depth: JSON_DEPTH })))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, json)

  app.addHook('onRequest', async (request) => {
    const found = deps.find(headOf(request.raw))
    if (found === undefined) throw new KmsError('unknown_operation')
    const { exposure, verifier, rules } = found.exposure
    const email = await authenticate(request.headers.authorization, verifier, exposure.audience)
    if (!rules.knows(email)) throw new CloudFault('denied')
    callers.set(request, { ...found, email })
  })

  app.setErrorHandler((cause, request, reply) => {
    if (cause instanceof CloudFault) return answer(reply, renderFault(cause))
    const error = toKmsError(cause, request.routeOptions.bodyLimit ?? 0)
    if (error.code === 'internal') log.error({ requestId: request.id, err: error.cause ?? error }, 'request failed')
    return answer(reply, renderError(error))
  })

  const serve = async (caller: Caller, method: BoundMethod, place: Place, request: FastifyRequest) => {
    const { exposure, rules } = caller.exposure
    const fields = new Fields(request.body)
    const behalf = behalfOf(fields)
    const grant = rules.grant(place, caller.email)
    const refusal = refusalOf(method, grant, behalf)
    const call: Call = {
      signal: AbortSignal.any([request.deadline, AbortSignal.timeout(exposure.deadlineMs)]),
      requestId: request.id,
      dialect: 'ekm',
      wire: `cloud/${method.wire}`,
      principal: externalPrincipal('bearer', exposure.name, caller.email),
      realm: { dialect: 'system', realmId: deps.homeRealm() },
      address: request.client.address,
      exposed: {
        exposure: exposure.name,
        key: placeName(place),
        actions: refusal === undefined ? grant.actions : NO_ACTIONS,
        behalf: { key: behalf.key, reason: behalf.reason },
        rule: refusal?.rule,
      },
    }
    try {
      return await method.serve(kernel, { fields, exposure, key: grant.key, space: grant.space }, call)
    } catch (error) {
      if (refusal !== undefined && error instanceof KmsError && error.code === 'access_denied') throw refusal.fault
      throw error
    }
  }

  app.all(ROUTE, async (request, reply) => {
    const caller = callers.get(request)
    const place = caller && placeOf(caller.rest)
    if (caller === undefined || place === undefined) throw new KmsError('unknown_operation')
    if (place.on === 'host') {
      if (request.method !== 'GET' && request.method !== 'POST') throw new KmsError('unknown_operation')
      return { vendor: 'Trefoil', version: deps.version }
    }
    const method = METHODS.get(`${place.on} ${place.verb}`)
    if (method === undefined || request.method !== 'POST')
      throw new KmsError('unimplemented', { operation: place.verb })
    return reply.send(await serve(caller, method, place, request))
  })
}

type Answer = ReturnType<typeof renderError>
const answer = (reply: FastifyReply, { status, headers, body }: Answer): FastifyReply =>
  reply.code(status).headers(headers).send(body)
