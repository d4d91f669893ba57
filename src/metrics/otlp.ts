/**
 * OpenTelemetry over OTLP/HTTP in JSON: the registry's metrics, and a span for each record of the audit log. Written out
 * here because it is two documents and a POST; the official packages bring a hundred times that.
 */
import { randomBytes } from 'node:crypto'
import type { AuditRecord } from '../core/ports.ts'
import { type Distribution, type Point, type Reading, type Registry, readAll } from './registry.ts'

export type OtlpOptions = {
  readonly tracesUrl?: string
  readonly metricsUrl?: string
  readonly service: string
  readonly version: string
  readonly resource: Readonly<Record<string, string>>
  readonly metricsIntervalMs: number
  readonly tracesDelayMs: number
  readonly sampler: { readonly parentBased: boolean; readonly ratio: number }
  readonly headers: Readonly<Record<string, string>>
  readonly warn: (message: string, cause?: unknown) => void
}

const TIMEOUT_MS = 10_000
/** When the server stops it has not much longer itself. */
const LAST_TIMEOUT_MS = 2000
/** Spans that wait; more are dropped, since nobody waits for a collector. */
const MAX_SPANS = 2048
/** Requests whose span is not made yet. */
const MAX_PARENTS = 10_000
/** https://www.w3.org/TR/trace-context/#traceparent-header, of any version that begins like 00. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/
const SPAN_KIND_SERVER = 2
const STATUS_ERROR = 2
const CUMULATIVE = 2
/** What the caller can't help is an error of the server's; the rest is an answer (semantic conventions of RPC). */
const OURS: ReadonlySet<string> = new Set([
  'internal',
  'backend_unavailable',
  'backend_timeout',
  'store_unavailable',
  'audit_unavailable',
])

type Parent = { readonly traceId: string; readonly spanId: string; readonly sampled: boolean }
type Attribute = { readonly key: string; readonly value: { readonly stringValue: string } }

const attributesOf = (values: Readonly<Record<string, string>>): readonly Attribute[] =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }))
const nanos = (ms: number): string => `${BigInt(Math.round(ms * 1000)) * 1000n}`

export function parseTraceparent(header: unknown): Parent | undefined {
  const [, traceId, spanId, flags] = typeof header === 'string' ? (TRACEPARENT.exec(header) ?? []) : []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

const isDistribution = (value: Point['value']): value is Distribution => typeof value !== 'number'

function metricOf({ name, help, kind, labels, points }: Reading, startedAt: number, now: number): object {
  const times = { startTimeUnixNano: nanos(startedAt), timeUnixNano: nanos(now) }
  const dataPoints = points.map(({ labels: values, value }) => {
    const attributes = attributesOf(Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ''])))
    if (!isDistribution(value)) return { attributes, ...times, asDouble: value }
    const { bounds: explicitBounds, counts, sum } = value
    const count = String(counts.reduce((total, one) => total + one, 0))
    return { attributes, ...times, count, sum, bucketCounts: counts.map(String), explicitBounds }
  })
  const described = { name, description: help }
  if (kind === 'gauge') return { ...described, gauge: { dataPoints } }
  const summed = { aggregationTemporality: CUMULATIVE, dataPoints }
  return kind === 'histogram'
    ? { ...described, histogram: summed }
    : { ...described, sum: { ...summed, isMonotonic: true } }
}

export class OtlpExporter {
  readonly #options: OtlpOptions
  readonly #registry: Registry
  readonly #startedAt = Date.now()
  readonly #parents = new Map<string, Parent>()
  #spans: object[] = []
  #timers: NodeJS.Timeout[] = []
  #failing = false
  #timeoutMs = TIMEOUT_MS

  constructor(options: OtlpOptions, registry: Registry) {
    this.#options = options
    this.#registry = registry
  }

  /** A request begins, of a trace that its caller has begun. */
  begin(requestId: string, traceparent: unknown): void {
    const parent = parseTraceparent(traceparent)
    if (parent === undefined || this.#options.tracesUrl === undefined) return
    // What never gets to the audit log leaves its parent here.
    const [oldest] = this.#parents.size >= MAX_PARENTS ? this.#parents.keys() : []
    if (oldest !== undefined) this.#parents.delete(oldest)
    this.#parents.set(requestId, parent)
  }

  /** Of a record nothing is told but what a metric's labels tell, and its request's id. */
  record({ requestId, dialect, wire, operation, outcome, durationMs }: AuditRecord): void {
    if (this.#options.tracesUrl === undefined) return
    const parent = this.#parents.get(requestId)
    this.#parents.delete(requestId)
    const traceId = parent?.traceId ?? randomBytes(16).toString('hex')
    if (!this.#samples(traceId, parent) || this.#spans.length >= MAX_SPANS) return
    const end = Date.now()
    const told = { 'rpc.method': wire, 'trefoil.dialect': dialect, 'trefoil.operation': operation }
    const result = { 'trefoil.result': outcome, 'trefoil.request_id': requestId }
    this.#spans.push({
      traceId,
      spanId: randomBytes(8).toString('hex'),
      ...(parent && { parentSpanId: parent.spanId }),
      name: `${dialect} ${operation}`,
      kind: SPAN_KIND_SERVER,
      startTimeUnixNano: nanos(end - durationMs),
      endTimeUnixNano: nanos(end),
      attributes: attributesOf({ ...told, ...result, ...(outcome !== 'ok' && { 'error.type': outcome }) }),
      status: OURS.has(outcome) ? { code: STATUS_ERROR } : {},
    })
  }

  start(): void {
    const { tracesUrl, metricsUrl, tracesDelayMs, metricsIntervalMs } = this.#options
    if (tracesUrl !== undefined)
      this.#timers.push(setInterval(() => void this.#sendSpans(tracesUrl), tracesDelayMs).unref())
    if (metricsUrl !== undefined)
      this.#timers.push(setInterval(() => void this.#sendMetrics(metricsUrl), metricsIntervalMs).unref())
  }

  /** Sends what there is, once. */
  async stop(): Promise<void> {
    if (this.#timers.length === 0) return
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    this.#timeoutMs = LAST_TIMEOUT_MS
    const { tracesUrl, metricsUrl } = this.#options
    await Promise.all([tracesUrl && this.#sendSpans(tracesUrl), metricsUrl && this.#sendMetrics(metricsUrl)])
  }

  #samples(traceId: string, parent: Parent | undefined): boolean {
    const { parentBased, ratio } = this.#options.sampler
    if (parentBased && parent !== undefined) return parent.sampled
    return Number.parseInt(traceId.slice(-13), 16) < ratio * 16 ** 13
  }

  #envelope(of: 'spans' | 'metrics', items: readonly object[]): object {
    const { service, version, resource } = this.#options
    const attributes = attributesOf({ 'service.name': service, 'service.version': version, ...resource })
    const scoped = { scope: { name: 'trefoil', version }, [of]: items }
    return of === 'spans'
      ? { resourceSpans: [{ resource: { attributes }, scopeSpans: [scoped] }] }
      : { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [scoped] }] }
  }

  async #sendSpans(url: string): Promise<void> {
    const spans = this.#spans
    if (spans.length === 0) return
    this.#spans = []
    if (!(await this.#post(url, this.#envelope('spans', spans))))
      this.#spans = [...spans, ...this.#spans].slice(0, MAX_SPANS)
  }

  async #sendMetrics(url: string): Promise<void> {
    const readings = await readAll(this.#registry)
    const now = Date.now()
    const metrics = readings.filter(({ points }) => points.length > 0)
    await this.#post(
      url,
      this.#envelope(
        'metrics',
        metrics.map((one) => metricOf(one, this.#startedAt, now)),
      ),
    )
  }

  /** @returns false where it is worth another try */
  async #post(url: string, body: object): Promise<boolean> {
    try {
      const headers = { ...this.#options.headers, 'content-type': 'application/json' }
      const signal = AbortSignal.timeout(this.#timeoutMs)
      const answer = await fetch(url, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        redirect: 'error',
        signal,
      })
      await answer.arrayBuffer()
      if (!answer.ok) throw new Error(`the OTLP collector answered ${answer.status}`)
      this.#failing = false
      return true
    } catch (error) {
      if (!this.#failing) this.#options.warn('the OTLP collector does not take what it is sent', error)
      this.#failing = true
      return false
    }
  }
}
