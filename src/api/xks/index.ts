/** AWS's XKS proxy API v1.0.3: AWS KMS calls for the use of keys that an exposure shows it. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { XksExposed } from '../../config/exposures/xks.ts'
import { KmsError } from '../../core/error.ts'
import type { Call } from '../../core/operation.ts'
import { rotateWornKey } from '../../core/ops/rotate-key.ts'
import type { Exposures } from '../exposures.ts'
import { answerText } from '../http/answer.ts'
import { bodyParser } from '../http/body.ts'
import { checker } from '../http/checker.ts'
import { toKmsError } from '../http/errors.ts'
import type { Admitted } from '../http/gate.ts'
import { parseJson } from '../http/json.ts'
import { headOf } from '../http/request.ts'
import type { Claim } from '../sigv4/claim.ts'
import { SignatureFault } from '../sigv4/fault.ts'
import { SignatureVerifier } from '../sigv4/verify.ts'
import type { Surface, SurfaceServices } from '../surface.ts'
import { checkClient } from './auth.ts'
import type { BoundOperation, Prepared } from './binding.ts'
import { BINDINGS, coverage, HEALTH } from './bindings/index.ts'
import { asXksError, renderError, XksError } from './errors.ts'
import { Health, type HealthDeps } from './health.ts'
import { isXks, type Place, placeOf } from './names.ts'
import { HealthRequest } from './schemas.ts'
import { actionsOn, type Tenant, tenantsOf } from './tenants.ts'

const PATH = '/@xks/'
const JSON_LIMITS = { depth: 8 }
/** The longest plaintext and additional data in Base64, and facts of 2,048 characters each. */
const BODY_BYTES = 64 * 1024
/** Until a key that could not be rotated is tried again. */
const ROTATION_RETRY_MS = 600_000
const OTHER_METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** What the head of a request says. */
type Pending = { readonly tenant: Tenant; readonly place: Place; readonly claim: Claim; readonly admitted: Admitted }

declare module 'fastify' {
  interface FastifyRequest {
    xksPending: Pending | undefined
  }
}

export type XksOptions = HealthDeps & {
  readonly exposures: Exposures
  /** The realm that keys are named in. */
  homeRealm(): string
}
type Deps = XksOptions & SurfaceServices

class Xks {
  readonly #deps: Deps
  readonly #tenants: () => ReadonlyMap<string, Tenant>
  readonly #health: Health
  readonly #checkHealth = checker(HealthRequest)
  /** Keys whose worn version is being replaced. */
  readonly #rotating = new Set<string>()

  constructor(deps: Deps) {
    this.#deps = deps
    const shared = { clock: deps.clock, verifier: new SignatureVerifier() }
    this.#tenants = deps.exposures.view('xks', (exposures: readonly XksExposed[]) => tenantsOf(exposures, shared))
    this.#health = new Health(deps)
  }

  /** The path comes first, then who calls: a wrong prefix is told from a wrong signature (specification, "Error codes"). */
  begin(request: FastifyRequest, reply: FastifyReply): Pending {
    const { method, url } = headOf(request.raw)
    const place = placeOf(url)
    const tenant = place && this.#tenants().get(place.path)
    if (place === undefined || tenant === undefined) throw new XksError('InvalidUriPathException')
    if (method !== 'POST') {
      throw new XksError('UnsupportedOperationException', `The method ${method} is not allowed.`, 405)
    }
    const admitted = tenant.gate.enter()
    reply.raw.once('close', () => admitted.leave())
    const { name, clientNames } = tenant.exposure
    checkClient(request, clientNames, (shown) => {
      this.#deps.log.warn({ exposure: name, client: shown?.slice(0, 64) }, 'a client that the exposure does not name')
    })
    const claim = tenant.credentials.claim(request, url, this.#deps.clock.now())
    return { tenant, place, claim, admitted }
  }

  answer(pending: Pending, binding: BoundOperation | undefined, request: FastifyRequest): Promise<unknown> {
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0)
    const { tenant, claim, admitted } = pending
    const principal = tenant.credentials.verify(claim, body)
    tenant.count()
    const parsed = parseJson(body, JSON_LIMITS)
    if (binding === undefined) {
      this.#checkHealth(parsed)
      return admitted.inTime(this.#health.status(tenant.exposure))
    }
    const prepared = binding.read(parsed)
    const { address } = request.client
    return admitted.inTime(this.#serve(pending, binding, prepared, { principal, requestId: request.id, address }))
  }

  async #serve(
    { tenant, place, admitted }: Pending,
    binding: BoundOperation,
    prepared: Prepared,
    caller: Pick<Call, 'principal' | 'requestId' | 'address'>,
  ): Promise<unknown> {
    const { kernel, homeRealm } = this.#deps
    const { requestMetadata: facts } = prepared.body
    const id = place.keyId ?? ''
    const key = tenant.keys.get(id)
    const rule = tenant.rules.refusal({ ...facts, key: id })
    const call: Call = {
      ...caller,
      signal: admitted.signal,
      dialect: 'xks',
      wire: binding.wire,
      realm: { dialect: 'system', realmId: homeRealm() },
      clientRequestId: facts.kmsRequestId,
      exposed: {
        exposure: tenant.exposure.name,
        key: id,
        actions: actionsOn(key),
        behalf: {
          principal: facts.awsPrincipalArn,
          operation: facts.kmsOperation,
          key: facts.kmsKeyArn,
          service: facts.kmsViaService,
          network: facts.awsSourceVpc,
          endpoint: facts.awsSourceVpce,
        },
        rule: key === undefined ? undefined : rule,
      },
    }
    if (key === undefined)
      return kernel.refuse(binding.operation, call, new KmsError('key_not_found', { reference: id }))
    if (rule !== undefined) {
      const message = `The rule is: ${rule}`
      return kernel.refuse(binding.operation, call, new KmsError('access_denied', { action: binding.wire, message }))
    }
    if (prepared.usages.some((use) => !key.usage.includes(use))) {
      const params = { usage: key.usage.join(' '), operation: binding.wire }
      return kernel.refuse(binding.operation, call, new KmsError('usage_mismatch', params))
    }
    try {
      const { answer, worn } = await prepared.serve(kernel, key, call)
      if (worn !== undefined) this.#rotate(worn)
      return answer
    } catch (error) {
      const { code, subject } = KmsError.from(error)
      if (code === 'limit_exceeded' && subject?.version !== undefined) {
        this.#rotate({ keyId: subject.keyId, version: subject.version })
      }
      throw error
    }
  }

  /** In the background: a version that is only worn serves as long as it takes. */
  #rotate({ keyId, version }: { readonly keyId: string; readonly version: number }): void {
    if (this.#rotating.has(keyId)) return
    this.#rotating.add(keyId)
    const { kernel, homeRealm, log } = this.#deps
    const call: Call = {
      signal: new AbortController().signal,
      requestId: randomUUID(),
      dialect: 'system',
      wire: rotateWornKey.name,
      principal: { id: 'system:rotation', method: 'system' },
      realm: { dialect: 'system', realmId: homeRealm() },
    }
    kernel.execute(rotateWornKey, { key: { by: 'id', id: keyId }, worn: version }, call).then(
      () => this.#rotating.delete(keyId),
      (err: unknown) => {
        log.error({ err, key: keyId, version }, 'the version is near its last message, and cannot be replaced')
        setTimeout(() => this.#rotating.delete(keyId), ROTATION_RETRY_MS).unref()
      },
    )
  }
}

function register(app: FastifyInstance, services: SurfaceServices, options: XksOptions): void {
  const { log } = services
  const xks = new Xks({ ...options, ...services })
  app.decorateRequest('xksPending')
  app.addHook('onRequest', (request, reply, done) => {
    try {
      request.xksPending = xks.begin(request, reply)
    } catch (error) {
      done(error as Error)
      return
    }
    done()
  })
  app.removeAllContentTypeParsers()
  // Signatures are over the bytes; what they say comes after.
  app.addContentTypeParser<Buffer>(
    '*',
    { parseAs: 'buffer' },
    bodyParser((body) => body),
  )
  app.setErrorHandler((cause, request, reply) => {
    const error = cause instanceof XksError || cause instanceof SignatureFault ? cause : toKmsError(cause, BODY_BYTES)
    if (asXksError(error).errorName === 'InternalException') log.error({ requestId: request.id, err: error }, 'xks')
    const { status, headers, body } = renderError(error)
    return answerText(reply, Object.entries(headers).flat(), String(body), status)
  })
  const add = (route: string, binding: BoundOperation | undefined): void => {
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      const { xksPending } = request
      if (xksPending === undefined) throw new KmsError('internal')
      const answer = await xks.answer(xksPending, binding, request)
      return answerText(reply, ['content-type', 'application/json'], JSON.stringify(answer))
    }
    app.post(`${PATH}${route}`, { bodyLimit: BODY_BYTES }, handler)
    app.route({ method: [...OTHER_METHODS], url: `${PATH}${route}`, handler })
  }
  for (const binding of BINDINGS) add(binding.route, binding)
  add(HEALTH.route, undefined)
}

export const createXksSurface = (options: XksOptions): Surface => ({
  dialect: 'xks',
  coverage,
  owns: ({ url }) => isXks(url),
  rewrite({ url }) {
    const place = placeOf(url)
    return place && `${PATH}${place.route}`
  },
  register: (app, services) => register(app, services, options),
  render: (error) => renderError(error),
})
