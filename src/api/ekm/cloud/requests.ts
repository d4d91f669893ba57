/** What becomes of a request: who calls, what the path names, what the exposure says of it, and then the kernel. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { KmsError } from '../../../core/error.ts'
import { type Exposed, externalPrincipal, NO_ACTIONS } from '../../../core/exposed.ts'
import type { Kernel } from '../../../core/kernel.ts'
import type { Call } from '../../../core/operation.ts'
import type { Admitted } from '../../http/gate.ts'
import { headOf } from '../../http/request.ts'
import type { RequestHead } from '../../surface.ts'
import type { Found } from '../paths.ts'
import { authenticate } from './auth.ts'
import type { BoundMethod } from './binding.ts'
import { BINDINGS } from './bindings/index.ts'
import { CloudFault } from './errors.ts'
import { Fields } from './fields.ts'
import { type Place, placeOf } from './names.ts'
import { type Grant, REASON_FIELD, reasonOf } from './rules.ts'
import type { Tenant } from './tenant.ts'

/** Of what is only recorded. */
const MAX_NOTE = 512

export type CloudDeps = {
  readonly kernel: Kernel
  /** The tenant that a URL is of. */
  find(head: RequestHead): Found<Tenant> | undefined
  homeRealm(): string
  readonly version: string
}

type Caller = Found<Tenant> & { readonly email: string; readonly admitted: Admitted }

const METHODS: ReadonlyMap<string, BoundMethod> = new Map(BINDINGS.map((one) => [`${one.on} ${one.wire}`, one]))

/** What Google says of the request behind this one. */
function behalfOf(fields: Fields) {
  const context = fields.object('additionalContext')
  const reason = reasonOf(context?.object('accessReasonContext') ?? fields.object('accessReasonContext'))
  const key = context?.text('relativeResourceName') ?? context?.text('fullResourceName')
  return { reason, healthCheck: context?.flag('isKeyHealthCheck') ?? false, key: key?.slice(0, MAX_NOTE) }
}
type Asked = ReturnType<typeof behalfOf>

type Refusal = {
  readonly rule: string
  readonly error: KmsError /** Told in its place. */
  readonly fault?: CloudFault
}
type Verdict = { readonly grant: Grant } | Refusal

function judge(method: BoundMethod, grant: Grant | undefined, asked: Asked): Verdict {
  if (grant === undefined) return { rule: 'not-shown', error: new KmsError('key_not_found') }
  if (method.coordinated === true && grant.space === undefined) {
    return { rule: 'not-coordinated', error: new KmsError('unimplemented', { operation: method.wire }) }
  }
  const excused = !method.justified || (method.wire === 'wrap' && asked.healthCheck)
  if (excused || grant.reasons === undefined || grant.reasons.has(asked.reason)) return { grant }
  const description = 'this justification is not allowed for the key'
  return {
    rule: 'reason',
    error: new KmsError('access_denied', { action: method.wire }),
    fault: new CloudFault('denied', { field: REASON_FIELD, description }),
  }
}

function placeName(place: Place): string | undefined {
  if (place.on === 'host') return undefined
  return place.on === 'space' ? place.space : [place.space, place.id].filter(Boolean).join('/')
}

export class Requests {
  readonly #deps: CloudDeps
  readonly #callers = new WeakMap<FastifyRequest, Caller>()

  constructor(deps: CloudDeps) {
    this.#deps = deps
  }

  /** Before the body is read. @throws KmsError, CloudFault */
  async begin(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const found = this.#deps.find(headOf(request.raw))
    if (found === undefined) throw new KmsError('unknown_operation')
    const { gate, verifier, exposure, rules } = found.exposure
    const admitted = gate.enter()
    reply.raw.once('close', () => admitted.leave())
    const caller = { ...found, admitted, email: '' }
    const known = authenticate(request.headers.authorization, verifier, exposure.audience)
    const email = await admitted.inTime(known).catch(async (error: unknown) => {
      if (KmsError.from(error).code === 'unauthenticated') await this.#stranger(request, caller)
      throw error
    })
    if (!rules.knows(email)) {
      await this.#stranger(request, { ...caller, email })
      throw new CloudFault('denied')
    }
    this.#callers.set(request, { ...caller, email })
  }

  /** @throws KmsError, CloudFault */
  async answer(request: FastifyRequest): Promise<object> {
    const caller = this.#callers.get(request)
    const place = caller && placeOf(caller.rest)
    if (caller === undefined || place === undefined) throw new KmsError('unknown_operation')
    if (place.on === 'host') {
      if (request.method !== 'GET' && request.method !== 'POST') throw new KmsError('unknown_operation')
      return { vendor: 'Trefoil', version: this.#deps.version }
    }
    const method = METHODS.get(`${place.on} ${place.verb}`)
    if (method === undefined || request.method !== 'POST') {
      throw new KmsError('unimplemented', { operation: place.verb })
    }
    return caller.admitted.inTime(this.#serve(request, caller, method, place))
  }

  async #serve(request: FastifyRequest, caller: Caller, method: BoundMethod, place: Place): Promise<object> {
    const { kernel } = this.#deps
    const { exposure, rules } = caller.exposure
    const fields = new Fields(request.body)
    const asked = behalfOf(fields)
    const verdict = judge(method, rules.grant(place, caller.email), asked)
    const exposed = { key: placeName(place), behalf: { key: asked.key, reason: asked.reason } }
    if ('grant' in verdict) {
      const { key, space, actions } = verdict.grant
      const call = this.#call(request, caller, method.wire, { ...exposed, actions })
      return method.serve(kernel, { fields, exposure, key, space }, call)
    }
    const { rule, error, fault } = verdict
    const call = this.#call(request, caller, method.wire, { ...exposed, rule })
    return method.refuse(kernel, call, error).catch((thrown: unknown) => {
      throw thrown === error && fault !== undefined ? fault : thrown
    })
  }

  #stranger(request: FastifyRequest, caller: Caller): Promise<void> {
    return this.#deps.kernel.stranger(this.#call(request, caller, 'authenticate', {}))
  }

  #call(request: FastifyRequest, { exposure, email, admitted }: Caller, wire: string, about: Partial<Exposed>): Call {
    const { name } = exposure.exposure
    return {
      signal: admitted.signal,
      requestId: request.id,
      dialect: 'ekm',
      wire: `cloud/${wire}`,
      principal: externalPrincipal('bearer', name, email),
      realm: { dialect: 'system', realmId: this.#deps.homeRealm() },
      address: request.client.address,
      exposed: { exposure: name, actions: NO_ACTIONS, ...about },
    }
  }
}
