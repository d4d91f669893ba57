/** OpenTelemetry's own environment variables, as its specification names them. */
import { Problem } from '../core/problem.ts'
import type { Environment } from './environment.ts'

export type OtelConfig = {
  /** Where spans go; absent: nowhere. */
  readonly tracesUrl?: string
  readonly metricsUrl?: string
  readonly service: string
  /** Besides the service's name. */
  readonly resource: Readonly<Record<string, string>>
  readonly metricsIntervalMs: number
  readonly tracesDelayMs: number
  /** Whether callers decide, and the share of traces that nobody has decided on. */
  readonly sampler: { readonly parentBased: boolean; readonly ratio: number }
}

const DEFAULT_ENDPOINT = 'http://localhost:4318'

/** `a=1,b=2`, with percent-encoded values. */
function pairsOf(name: string, text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').filter((pair) => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new Problem(`${name} is not a list of name=value`, `write ${name} as name=value,name=value`)
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
    }),
  )
}

/** Sent with everything; they may hold a secret, so that they are no part of the configuration. @throws Problem */
export const otelHeaders = (env: Environment): Readonly<Record<string, string>> =>
  pairsOf('OTEL_EXPORTER_OTLP_HEADERS', env.OTEL_EXPORTER_OTLP_HEADERS)

function wanted(env: Environment, name: string): boolean | undefined {
  const value = env[name]
  if (!value) return undefined
  if (value === 'otlp' || value === 'none') return value === 'otlp'
  throw new Problem(`${name} is ${value}, and only otlp is spoken`, `set ${name} to otlp or none`)
}

function urlOf(env: Environment, signal: 'traces' | 'metrics'): string | undefined {
  const own = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`]
  const shared = env.OTEL_EXPORTER_OTLP_ENDPOINT
  const asked = wanted(env, `OTEL_${signal.toUpperCase()}_EXPORTER`)
  if (asked === false || (asked === undefined && !own && !shared)) return undefined
  const url = own || `${(shared || DEFAULT_ENDPOINT).replace(/\/$/, '')}/v1/${signal}`
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Problem(`the OTLP endpoint of ${signal} is no http URL`, 'set OTEL_EXPORTER_OTLP_ENDPOINT to one')
  return url
}

function milliseconds(env: Environment, name: string, otherwise: number): number {
  const text = env[name]
  if (!text) return otherwise
  if (/^\d{1,8}$/.test(text) && Number(text) > 0) return Number(text)
  throw new Problem(`${name} is no number of milliseconds`, `set ${name} to one above 0`)
}

function samplerOf(env: Environment): OtelConfig['sampler'] {
  const name = env.OTEL_TRACES_SAMPLER || 'parentbased_always_on'
  const [, parent, kind] = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name) ?? []
  if (kind === undefined) {
    const known = 'always_on, always_off, traceidratio, each with or without parentbased_ before it'
    throw new Problem(`OTEL_TRACES_SAMPLER ${name} is unknown`, `set it to one of ${known}`)
  }
  const given = Number(env.OTEL_TRACES_SAMPLER_ARG || 1)
  const ratio = kind === 'always_on' ? 1 : kind === 'always_off' ? 0 : given
  if (!(ratio >= 0 && ratio <= 1)) throw new Problem('OTEL_TRACES_SAMPLER_ARG is no share', 'set it to 0 up to 1')
  return { parentBased: parent !== undefined, ratio }
}

/** Undefined where nobody asks for it. @throws Problem for what is asked and not there */
export function resolveOtel(env: Environment): OtelConfig | undefined {
  if (env.OTEL_SDK_DISABLED === 'true') return undefined
  const [tracesUrl, metricsUrl] = [urlOf(env, 'traces'), urlOf(env, 'metrics')]
  if (tracesUrl === undefined && metricsUrl === undefined) return undefined
  const protocol = env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/json'
  if (protocol !== 'http/json')
    throw new Problem(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}, and only http/json is spoken`, 'set it to http/json')
  otelHeaders(env)
  return {
    ...(tracesUrl !== undefined && { tracesUrl }),
    ...(metricsUrl !== undefined && { metricsUrl }),
    service: env.OTEL_SERVICE_NAME || 'trefoil',
    resource: pairsOf('OTEL_RESOURCE_ATTRIBUTES', env.OTEL_RESOURCE_ATTRIBUTES),
    metricsIntervalMs: milliseconds(env, 'OTEL_METRIC_EXPORT_INTERVAL', 60_000),
    tracesDelayMs: milliseconds(env, 'OTEL_BSP_SCHEDULE_DELAY', 5000),
    sampler: samplerOf(env),
  }
}
