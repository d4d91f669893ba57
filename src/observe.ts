/** What of the server can be watched from outside, put together: counted where it happens, asked for when somebody looks. */
import { join } from 'node:path'
import type { Logger } from 'pino'
import { examine, type HealthCheck } from './api/http/health.ts'
import { type MetricsListener, openMetrics } from './api/metrics.ts'
import type { ListenerUse } from './api/server.ts'
import { AuditExports } from './audit/export/exports.ts'
import { type Config, readOtelHeaders, readSecret } from './config.ts'
import type { DueWork } from './core/due.ts'
import type { Kernel } from './core/kernel.ts'
import { type BackendObserver, LimitedBackend } from './core/limited-backend.ts'
import type { AuditRecord, CryptoBackend } from './core/ports.ts'
import type { TokenUse } from './hsm/client.ts'
import { OtlpExporter } from './metrics/otlp.ts'
import { watchProcess } from './metrics/process.ts'
import { Histogram, Registry, readAll } from './metrics/registry.ts'
import { countRequests, SECONDS } from './metrics/requests.ts'
import { watchState } from './metrics/state.ts'
import { renderText, TEXT_TYPE } from './metrics/text.ts'
import { VERSION } from './version.ts'

/** What is done a moment late is not overdue. */
const GRACE_MS = 60_000

export type Parts = {
  readonly kernel: Pick<Kernel, 'load'>
  readonly audit: { readonly last: number; readonly waiting: number }
  readonly due: Pick<DueWork, 'overdue' | 'soonest'>
  readonly server: { readonly shed: number; uses(): readonly ListenerUse[] }
  readonly quotas: { readonly refused: number }
  readonly tokens: readonly { readonly client: { readonly uses: readonly TokenUse[] } }[]
  readonly readiness: readonly HealthCheck[]
  readonly log: Logger
}

/** @throws Problem */
function openExports({ audit, dataDir }: Config, { last }: { readonly last: () => number }, log: Logger): AuditExports {
  const sinks = audit.exports.map((one) => {
    if (!('http' in one)) return one
    const { token, ...http } = one.http
    if (token === undefined) return { ...one, http }
    const secret = readSecret(token, `the token of audit export ${one.name}`)
    return { ...one, http: { ...http, token: () => secret.use((bytes) => Buffer.from(bytes).toString('utf8')) } }
  })
  return new AuditExports({
    sinks,
    cursors: join(dataDir, 'exports'),
    directory: audit.path,
    last,
    warn: (message, err) => log.warn(err === undefined ? {} : { err }, message),
  })
}

function openOtlp({ otel }: Config, registry: Registry, log: Logger): OtlpExporter | undefined {
  if (otel === undefined) return undefined
  const warn = (message: string, err?: unknown): void => log.warn(err === undefined ? {} : { err }, message)
  return new OtlpExporter({ ...otel, version: VERSION, headers: readOtelHeaders(), warn }, registry)
}

export class Observation {
  readonly #config: Config
  readonly #registry = new Registry()
  readonly #backends: LimitedBackend[] = []
  readonly #observeBackend: BackendObserver
  readonly #stopProcess: () => void
  readonly #count: (record: AuditRecord) => void
  #exports: AuditExports | undefined
  readonly #otlp: OtlpExporter | undefined
  #listener: MetricsListener | undefined

  constructor(config: Config, log: Logger) {
    this.#config = config
    this.#otlp = openOtlp(config, this.#registry, log)
    this.#count = countRequests(this.#registry)
    const calls = this.#registry.add(
      new Histogram(
        {
          name: 'trefoil_backend_call_duration_seconds',
          help: 'Calls of backends that were not answered at once, waiting for the backend included.',
          labels: ['backend', 'operation', 'result'],
        },
        SECONDS,
      ),
    )
    this.#observeBackend = ({ backend, operation, ok, ms }) =>
      calls.observe([backend, operation, ok ? 'ok' : 'error'], ms / 1000)
    this.#stopProcess = watchProcess(this.#registry)
  }

  /** For the server, where somebody follows traces: told of each request. */
  get begin(): ((requestId: string, traceparent: unknown) => void) | undefined {
    const otlp = this.#otlp
    return otlp && ((requestId, traceparent) => otlp.begin(requestId, traceparent))
  }

  /** For the audit log: told of each durable record. */
  readonly recorded = (record: AuditRecord): void => {
    this.#count(record)
    this.#otlp?.record(record)
    this.#exports?.notify()
  }

  /** The backend, watched, with a bound on what it has to do at a time. */
  limit(backend: CryptoBackend): LimitedBackend {
    const limited = new LimitedBackend(backend, this.#config.limits.backendCalls, this.#observeBackend)
    this.#backends.push(limited)
    return limited
  }

  watch({ kernel, audit, due, server, quotas, tokens, readiness, log }: Parts): void {
    this.#exports = openExports(this.#config, { last: () => audit.last }, log)
    watchState(this.#registry, {
      version: VERSION,
      health: async () => (await examine(readiness)).checks,
      backends: () => this.#backends,
      tokens: () => tokens.flatMap(({ client }) => client.uses),
      listeners: () => server.uses(),
      refused: () => ({ overload: server.shed, quota: quotas.refused }),
      audit: () => ({ last: audit.last, waiting: audit.waiting, outbox: kernel.load.outbox }),
      exports: () => this.#exports?.states ?? [],
      messages: () => kernel.load.messages,
      due: async () => ({ overdue: await due.overdue(GRACE_MS), next: await due.soonest() }),
    })
  }

  async render(): Promise<string> {
    return renderText(await readAll(this.#registry))
  }

  /** Begins to send the audit log, and opens the metrics' listener, if there is to be one. @throws Problem */
  async start(log: Logger): Promise<void> {
    await this.#exports?.start()
    this.#otlp?.start()
    const { metrics } = this.#config
    if (metrics === undefined) return
    this.#listener = await openMetrics(metrics, { type: TEXT_TYPE, render: () => this.render() })
    log.info({ url: this.#listener.url }, 'metrics')
  }

  /** Reads the certificate's files again; the function returned puts them in place. @throws Problem */
  readCertificates(): () => void {
    return this.#listener?.readCertificates() ?? (() => {})
  }

  async stop(): Promise<void> {
    this.#stopProcess()
    await this.#exports?.stop()
    await this.#otlp?.stop()
    await this.#listener?.close()
  }
}
