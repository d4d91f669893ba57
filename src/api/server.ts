/** One Fastify application behind several listeners: the dialects, health, and in dev the developer's endpoints. */
import { randomUUID, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { checkQuotas } from '../config/quotas.ts'
import { authority, type Config, type ListenerConfig } from '../config.ts'
import { KmsError } from '../core/error.ts'
import type { Kernel } from '../core/kernel.ts'
import { isExternal, type WireDialect } from '../core/key.ts'
import type { Clock } from '../core/ports.ts'
import { Problem } from '../core/problem.ts'
import { type DevHooks, registerDev } from './dev/endpoints.ts'
import { bindProblem } from './http/bind-problem.ts'
import { type Certificates, readCertificates, refuseExpired } from './http/certificates.ts'
import { clientOf } from './http/client.ts'
import { ClientAuthorities } from './http/client-certificate.ts'
import { Deadlines } from './http/deadlines.ts'
import { http2Refusal, type Route, refuseEarly } from './http/early.ts'
import { toKmsError } from './http/errors.ts'
import { type HealthCheck, registerHealth } from './http/health.ts'
import { HostRules } from './http/hosts.ts'
import { Listener } from './http/listener.ts'
import { RequestLog } from './http/logging.ts'
import { Overload } from './http/overload.ts'
import { ProxyRules } from './http/proxy.ts'
import {
  headOf,
  type ListenerInfo,
  listenerOf,
  markListener,
  type RawRequest,
  type RawResponse,
} from './http/request.ts'
import { type TunnelTarget, tunnelHandler } from './http/tunnel.ts'
import { operationNames, type RequestHead, type Surface, type SurfaceSettings } from './surface.ts'

export type Services = { readonly kernel: Kernel; readonly clock: Clock; readonly log: Logger }
/** Nothing is there to serve with: every request gets its dialect's unavailable error. */
export type SealedServices = { readonly sealed: true; readonly log: Logger }

export type ServerParts = {
  readonly config: Config
  readonly surfaces: readonly Surface[]
  readonly services: Services | SealedServices
  /** What /_/health/ready examines. */
  readonly readiness: readonly HealthCheck[]
  /** Absent in production. */
  readonly dev?: DevHooks
  /** Told of each request's id and trace, where somebody follows traces. */
  readonly begin?: ((requestId: string, traceparent: unknown) => void) | undefined
}

export type BoundListener = {
  /** `http://127.0.0.1:7400`, `https://localhost:7443`. */
  readonly url: string
  readonly tls: boolean
  readonly address: string
  readonly port: number
  readonly dialects: readonly WireDialect[]
}

export type ListenerUse = {
  /** `0.0.0.0:7443` */
  readonly name: string
  readonly connections: number
  /** When its certificate expires, ms since the epoch. */
  readonly certificateExpiry?: number | undefined
}

/** Opaque to all but servers. */
export type OpenListeners = { readonly bound: readonly unknown[]; readonly caPem: string | undefined }

export type Server = {
  /** For tests that need no socket: `app.inject`. */
  readonly app: FastifyInstance
  /** @param listeners another server's, open already, to go on with. @throws Problem when a port can't be bound or a certificate can't be read; nothing stays bound then */
  start(listeners?: OpenListeners): Promise<readonly BoundListener[]>
  /** Gives its listeners away, open as they are; what is in flight is answered as it can be. */
  release(): Promise<OpenListeners>
  /** Requests that were refused because there were too many. */
  readonly shed: number
  /** How each listener is used. */
  uses(): readonly ListenerUse[]
  /**
   * Reads certificate files again; the function returned puts them in place: for new connections, and what they say of
   * clients' authorities for all.
   * @throws Problem where one of them is bad
   */
  readCertificates(): Promise<() => void>
  /** New requests are refused, those in flight finish; @returns how many connections were cut off at the deadline */
  stop(): Promise<number>
}

const HEADERS_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 72_000
const STOP_DEADLINE_MS = 9_000
const MAX_PARAM_LENGTH = 2048
/** Health, and the developer's. */
const OWN_PATHS = '/_/'
/** For clients that are told to come back. */
const SHED_RETRY_MS = 1000
/** No route has this path, and no client may start its own with it (design section 3). */
const NOWHERE = '/@'
/** Spellings of `/@` that the router would take for it: absolute, percent-encoded, with more slashes. */
const INTERNAL_PATH = /^(?:https?:\/\/[^/?#]*)?\/*(?:@|%40)/i

function readCertificate(path: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(path))
  } catch (cause) {
    throw new Problem(
      `${path} is no certificate that can be read`,
      'check its name, its permissions and its form (PEM)',
      {
        cause,
      },
    )
  }
}

export function surfaceSettings(config: Config, dialect: WireDialect): SurfaceSettings {
  const rings = config.rings.filter((ring) => ring.purgeProtected).map(({ name }) => name)
  const vaults = config.rings.filter((ring) => ring.managedHsm).map(({ name }) => name.toLowerCase())
  const [purgeProtected, managedHsm] = [new Set(rings), new Set(vaults)]
  return {
    profile: config.profile,
    auth: isExternal(dialect) ? 'enforce' : config.auth[dialect],
    publicUrl: config.publicUrl,
    vaultDomain: config.vaultDomain,
    defaultAccount: config.realm.aws.account,
    defaultRegion: config.realm.aws.region,
    attestationRoots: config.aws.attestationRoots.map(readCertificate),
    tenant: config.realm.azure.tenant,
    purgeProtected: (ring) => purgeProtected.has(ring),
    managedHsm: (vault) => managedHsm.has(vault),
  }
}

/** HTTP numbers of errors that no dialect renders. */
const PLAIN_STATUS: Readonly<Partial<Record<KmsError['code'], number>>> = {
  throttled: 429,
  invalid_argument: 400,
  access_denied: 403,
  unknown_operation: 404,
  payload_too_large: 413,
  backend_timeout: 504,
  shutting_down: 503,
  store_unavailable: 503,
  audit_unavailable: 503,
  backend_unavailable: 503,
}

/** The path a request is routed by; query strings stay. */
function routedUrl(surfaces: readonly Surface[], request: RawRequest): string {
  const url = request.url ?? '/'
  const listener = listenerOf(request)
  const head: RequestHead = { method: request.method ?? '', url, headers: request.headers }
  for (const surface of surfaces) {
    if (surface.rewrite === undefined || listener?.dialects.has(surface.dialect) === false) continue
    const path = surface.rewrite(head)
    if (path !== undefined) return path
  }
  return INTERNAL_PATH.test(url) ? NOWHERE : url
}

type Bound = {
  readonly config: ListenerConfig
  readonly info: ListenerInfo
  readonly route: Route
  readonly url: string
  readonly listener: Listener
  readonly port: number
  expiresAt: number | undefined
}

class HttpServer implements Server {
  readonly app: FastifyInstance
  readonly #parts: ServerParts
  readonly #rules: HostRules
  readonly #deadlines: Deadlines
  readonly #overload: Overload
  #listeners: Bound[] = []
  #caPem: string | undefined
  #stopping: Promise<number> | undefined

  constructor(parts: ServerParts) {
    this.#parts = parts
    this.#rules = new HostRules({ vaultDomain: parts.config.vaultDomain, publicUrl: parts.config.publicUrl })
    this.#deadlines = new Deadlines(parts.config.limits.requestTimeoutMs)
    this.#overload = new Overload(parts.config.limits.loopDelayMs)
    this.app = this.#createApp()
  }

  #createApp(): FastifyInstance {
    const { config, surfaces, services } = this.#parts
    return Fastify({
      // Listeners are ours; this one never listens.
      serverFactory: () => http.createServer(),
      // Fastify's own logger costs every request a child and two listeners, for lines that only `debug` shows.
      ...(services.log.isLevelEnabled('debug') && {
        loggerInstance: services.log,
        logController: new RequestLog(),
      }),
      genReqId: (request) => this.#requestId(request.headers.traceparent),
      bodyLimit: config.limits.bodyBytes,
      return503OnClosing: false,
      routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreDuplicateSlashes: false, caseSensitive: true },
      rewriteUrl: (request) => routedUrl(surfaces, request),
      frameworkErrors: (error, request, reply) => this.#fail(error, request, reply),
    }) as unknown as FastifyInstance // the pino Logger narrows the generic, which no caller needs
  }

  async register(): Promise<void> {
    const { app } = this
    const { config, dev, readiness } = this.#parts
    app.decorateRequest('listener', {
      getter(this: FastifyRequest) {
        return listenerOf(this.raw)
      },
    })
    app.decorateRequest('client', {
      getter(this: FastifyRequest) {
        return clientOf(this.raw)
      },
    })
    const deadlines = this.#deadlines
    app.decorateRequest('deadline', { getter: () => deadlines.signal() })
    app.removeAllContentTypeParsers()
    app.addHook('onRequest', (request, reply, done) => this.#admit(request, reply, done))
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply))
    app.setNotFoundHandler((request, reply) => this.#notFound(request, reply))
    const certificates = { name: 'certificates', check: async () => this.#refuseExpired() }
    registerHealth(app, [...readiness, certificates], () => this.#unready())
    if (config.profile === 'dev') this.#registerAuthority()
    if (dev !== undefined) {
      await app.register(async (scope) => registerDev(scope, dev, { depth: config.limits.jsonDepth }))
    }
    const { services, surfaces } = this.#parts
    if (!('sealed' in services)) {
      for (const surface of surfaces) {
        await app.register(async (scope) => this.#registerSurface(surface, services, scope))
      }
    }
    await app.ready()
  }

  #registerAuthority(): void {
    this.app.get('/_/ca.pem', (_request, reply) => {
      if (this.#caPem === undefined) return reply.callNotFound()
      return reply.type('application/x-pem-file').send(this.#caPem)
    })
  }

  async #registerSurface(surface: Surface, services: Services, scope: FastifyInstance): Promise<void> {
    const { config } = this.#parts
    if (config.listeners.some(({ dialects }) => !dialects.includes(surface.dialect))) {
      scope.addHook('onRequest', (request, reply, done) => {
        if (request.listener?.dialects.has(surface.dialect) === false) reply.callNotFound()
        else done()
      })
    }
    await surface.register(scope, { ...services, settings: surfaceSettings(config, surface.dialect) })
  }

  #requestId(traceparent: unknown): string {
    const id = randomUUID()
    this.#parts.begin?.(id, traceparent)
    return id
  }

  #unready(): 'stopping' | 'sealed' | undefined {
    const sealed = 'sealed' in this.#parts.services ? 'sealed' : undefined
    return this.#stopping === undefined ? sealed : 'stopping'
  }

  /** Before anything of a request but its head is read. */
  #admit(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    if (this.#stopping !== undefined) {
      if (request.raw.httpVersionMajor === 1) reply.header('connection', 'close')
      done(new KmsError('shutting_down'))
      return
    }
    if ('sealed' in this.#parts.services && !request.url.startsWith(OWN_PATHS)) {
      done(new KmsError('backend_unavailable', { reason: 'sealed' }))
      return
    }
    if (this.#overload.sheds() && !request.url.startsWith(OWN_PATHS)) {
      done(new KmsError('throttled', { retryAfterMs: SHED_RETRY_MS }))
      return
    }
    if (this.#parts.config.profile === 'dev') {
      const refusal = this.#rules.refusal(this.#judged(request), request.listener?.loopback !== false)
      if (refusal !== undefined) {
        reply.code(403).send({ error: 'access_denied', message: refusal })
        return
      }
    }
    // Answered here, because Fastify would parse the body first and complain about that.
    if (request.is404) this.#notFound(request, reply)
    else done()
  }

  /** The headers, without the origin of a page that its surface lets call. */
  #judged({ headers, raw }: FastifyRequest): RequestHead['headers'] {
    const { origin } = headers
    if (origin === undefined) return headers
    const head = headOf(raw)
    const known = this.#parts.surfaces.some((one) => one.origins?.includes(origin) === true && one.owns(head))
    return known ? { ...headers, origin: undefined } : headers
  }

  #notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { method, url } = headOf(request.raw)
    return this.#render(
      new KmsError('unknown_operation', { operation: `${method} ${url.replace(/[?#].*$/s, '')}` }),
      request,
      reply,
    )
  }

  #fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const failure = toKmsError(error, this.#parts.config.limits.bodyBytes)
    if (failure.code === 'internal') {
      this.#parts.services.log.error({ requestId: request.id, err: failure, req: request }, 'request failed')
    }
    return this.#render(failure, request, reply)
  }

  #render(error: KmsError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const head = headOf(request.raw)
    const served = this.#parts.surfaces.filter(({ dialect }) => request.listener?.dialects.has(dialect) !== false)
    // A listener of one external dialect has callers of that one alone.
    const only = served.length === 1 ? served.find(({ dialect }) => isExternal(dialect)) : undefined
    const surface = served.find((candidate) => candidate.owns(head)) ?? only
    if (surface === undefined) {
      return reply
        .code(PLAIN_STATUS[error.code] ?? 500)
        .send({ error: error.code, message: error.message, requestId: request.id })
    }
    const { status, headers, body } = surface.render(error, head, request.id)
    return reply.code(status).headers(headers).send(body)
  }

  async start(listeners?: OpenListeners): Promise<readonly BoundListener[]> {
    this.#overload.start()
    if (listeners !== undefined) return this.#adopt(listeners)
    try {
      const bound: BoundListener[] = []
      for (const config of this.#parts.config.listeners) bound.push(await this.#open(config))
      return bound
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  #adopt({ bound, caPem }: OpenListeners): readonly BoundListener[] {
    this.#listeners = [...bound] as Bound[]
    this.#caPem = caPem
    for (const { route } of this.#listeners) Object.assign(route, this.#route())
    return this.#listeners.map(boundListener)
  }

  #route(): Route {
    return { dispatch: (...request) => this.#dispatch(...request), tunnel: () => this.#tunnelTarget() }
  }

  async release(): Promise<OpenListeners> {
    return { bound: this.#listeners.splice(0), caPem: this.#caPem }
  }

  async #open(config: ListenerConfig): Promise<BoundListener> {
    const { limits, profile, vaultDomain } = this.#parts.config
    const certificates = await readCertificates(config, this.#parts.config)
    const { material, expiresAt } = certificates
    this.#caPem = certificates.caPem ?? this.#caPem
    const info = listenerInfo(config, certificates)
    const route = this.#route()
    const mayProxy = profile === 'dev' && config.loopback && material === undefined
    const listener = new Listener({
      limits: {
        headerBytes: limits.headerBytes,
        requestTimeoutMs: limits.requestTimeoutMs,
        headersTimeoutMs: Math.min(HEADERS_TIMEOUT_MS, limits.requestTimeoutMs),
        idleTimeoutMs: IDLE_TIMEOUT_MS,
        maxConnections: limits.maxConnections,
      },
      handler: (request, response) => route.dispatch(info, request, response),
      ...(material === undefined ? {} : { tls: material }),
      ...(mayProxy ? { onConnect: tunnelHandler(vaultDomain, () => route.tunnel()) } : {}),
    })
    const { port } = await listener.listen(config.address, config.port).catch((error: NodeJS.ErrnoException) => {
      throw bindProblem(config, error)
    })
    const host = info.tls && config.loopback ? 'localhost' : config.address
    const url = `${info.tls ? 'https' : 'http'}://${authority(host, port)}`
    const bound = { config, info, route, url, listener, port, expiresAt }
    this.#listeners.push(bound)
    return boundListener(bound)
  }

  #dispatch(info: ListenerInfo, request: RawRequest, response: RawResponse): void {
    const refusal = http2Refusal(request, this.#parts.config.limits.headerBytes)
    if (refusal !== undefined) {
      refuseEarly(response, refusal.status, refusal.message)
      return
    }
    markListener(request, info)
    this.app.routing(request as http.IncomingMessage, response as http.ServerResponse)
  }

  #refuseExpired(): void {
    const ended = this.uses().find(({ certificateExpiry: end }) => end !== undefined && end <= Date.now())
    if (ended === undefined) return
    throw new KmsError('backend_unavailable', { reason: `the certificate of ${ended.name} has expired` })
  }

  #tunnelTarget(): TunnelTarget | undefined {
    const own = this.#listeners.find(({ config }) => config.tls !== undefined && config.loopback)
    return own === undefined ? undefined : { address: own.config.address, port: own.port }
  }

  get shed(): number {
    return this.#overload.shed
  }

  uses(): readonly ListenerUse[] {
    return this.#listeners.map(({ config, listener, port, expiresAt }) => ({
      name: authority(config.address, port),
      connections: listener.connections,
      certificateExpiry: expiresAt,
    }))
  }

  async readCertificates(): Promise<() => void> {
    const read = await Promise.all(
      this.#listeners.map(async (bound) => {
        const certificates = await readCertificates(bound.config, this.#parts.config)
        refuseExpired(certificates, bound.config, Date.now())
        return { bound, certificates }
      }),
    )
    return () => {
      for (const { bound, certificates } of read) {
        const { material, expiresAt, clientCa, proxyClientCa } = certificates
        if (material !== undefined) bound.listener.setSecureContext(material)
        bound.expiresAt = expiresAt
        if (clientCa !== undefined) bound.info.clients?.replace(clientCa)
        if (proxyClientCa !== undefined) bound.info.proxyClients?.replace(proxyClientCa)
      }
    }
  }

  stop(): Promise<number> {
    this.#stopping ??= this.#drain()
    return this.#stopping
  }

  async #drain(): Promise<number> {
    const cut = await Promise.all(this.#listeners.map(({ listener }) => listener.close(STOP_DEADLINE_MS)))
    this.#deadlines.close()
    this.#overload.stop()
    await this.app.close()
    return cut.reduce((sum, count) => sum + count, 0)
  }
}

const boundListener = ({ url, info: { tls }, port, config: { address, dialects } }: Bound): BoundListener => ({
  url,
  tls,
  address,
  port,
  dialects,
})

function listenerInfo(config: ListenerConfig, { clientCa, proxyClientCa }: Certificates): ListenerInfo {
  const { tls, dialects, loopback, publicUrl, proxy } = config
  return {
    tls: tls !== undefined,
    dialects: new Set(dialects),
    loopback,
    publicHost: publicUrl === undefined ? undefined : new URL(publicUrl).host,
    proxy: proxy && new ProxyRules(proxy),
    clients: clientCa && new ClientAuthorities(clientCa),
    proxyClients: proxyClientCa && new ClientAuthorities(proxyClientCa),
  }
}

/** Registers everything; `start()` opens the listeners. */
export async function createServer(parts: ServerParts): Promise<Server> {
  checkQuotas(parts.config.quotas, operationNames(parts.surfaces))
  const server = new HttpServer(parts)
  await server.register()
  return server
}
