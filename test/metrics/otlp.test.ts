/** What an OTLP collector gets from the real server, and which variables ask for it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { resolveOtel } from '../../src/config/otel.ts'
import { parseTraceparent } from '../../src/metrics/otlp.ts'
import { startTrefoil } from '../support/process.ts'

type Attributes = readonly { readonly key: string; readonly value: { readonly stringValue: string } }[]
type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Attributes
  readonly status: { readonly code?: number }
}
type Metric = { readonly name: string } & Record<string, { readonly dataPoints: readonly Record<string, unknown>[] }>

const valuesOf = (attributes: Attributes) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]))

async function collector(t: Test) {
  const spans: Span[] = []
  const metrics: Metric[] = []
  const seen: { readonly headers: NodeJS.Dict<string | string[]>; readonly resource: unknown }[] = []
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    request.once('end', () => {
      bodies.push(text)
      const body = JSON.parse(text)
      const [part] = request.url === '/v1/traces' ? body.resourceSpans : body.resourceMetrics
      seen.push({ headers: request.headers, resource: valuesOf(part.resource.attributes) })
      if (request.url === '/v1/traces') spans.push(...part.scopeSpans[0].spans)
      else metrics.push(...part.scopeMetrics[0].metrics)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, metrics, seen, bodies }
}

t.test('spans and metrics of the real server', async (t) => {
  const { url, spans, metrics, seen, bodies } = await collector(t)
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=a%20secret',
    OTEL_SERVICE_NAME: 'kms',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '3600000',
  }
  const server = await startTrefoil({ env, config: { log: { format: 'json' } } })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`
  const ask = async (target: string, body: object, headers: Record<string, string> = {}) => {
    const own = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${target}` }
    const response = await fetch(server.plainUrl, {
      method: 'POST',
      headers: { ...own, ...headers },
      body: JSON.stringify(body),
    })
    return response.json() as Promise<{ KeyMetadata: { KeyId: string } }>
  }
  const { KeyMetadata } = await ask('CreateKey', { Description: 'of nobody else’s business' })
  await ask('Encrypt', { KeyId: KeyMetadata.KeyId, Plaintext: 'aGlkZGVu' }, { traceparent })
  await ask(
    'Encrypt',
    { KeyId: KeyMetadata.KeyId, Plaintext: 'aGlkZGVu' },
    { traceparent: traceparent.replace(/1$/, '0') },
  )
  await ask('Encrypt', { KeyId: 'alias/none', Plaintext: 'aGlkZGVu' })
  t.equal(await server.stop(), 0)
  const named = (name: string) => spans.filter((span) => span.name === name)
  t.equal(named('aws CreateKey').length, 1)
  const [traced, refused, ...more] = named('aws Encrypt')
  t.same(more, [], 'the caller did not want the second one')
  t.match(traced, { traceId, parentSpanId: 'b7ad6b7169203331', kind: 2, status: {} })
  t.match(traced?.spanId, /^[0-9a-f]{16}$/)
  t.ok(BigInt(traced?.endTimeUnixNano ?? 0) >= BigInt(traced?.startTimeUnixNano ?? 1))
  t.match(valuesOf(traced?.attributes ?? []), {
    'rpc.method': 'Encrypt',
    'trefoil.dialect': 'aws',
    'trefoil.result': 'ok',
  })
  t.match(valuesOf(refused?.attributes ?? []), { 'error.type': 'alias_not_found' })
  t.notOk(refused?.parentSpanId)
  const requests = metrics.find(({ name }) => name === 'trefoil_requests_total')
  t.match(requests?.sum, { aggregationTemporality: 2, isMonotonic: true })
  const counted = requests?.sum?.dataPoints.reduce((sum, { asDouble }) => sum + Number(asDouble), 0)
  const durations = metrics.find(({ name }) => name === 'trefoil_request_duration_seconds')?.histogram?.dataPoints ?? []
  t.equal(
    durations.reduce((sum, { count }) => sum + Number(count), 0),
    counted,
  )
  for (const { bucketCounts, explicitBounds } of durations as { bucketCounts: string[]; explicitBounds: number[] }[])
    t.equal(bucketCounts.length, explicitBounds.length + 1)
  t.ok(seen.every(({ headers }) => headers['x-api-key'] === 'a secret'))
  t.match(seen[0]?.resource, { 'service.name': 'kms', 'deployment.environment': 'test' })
  t.notMatch(bodies.join(), /aGlkZGVu|nobody|alias\/none/, 'nothing of what was asked')
  t.notMatch(bodies.join(), KeyMetadata.KeyId)
  t.notMatch(server.log(), /a secret/)
})

t.test('traceparent', async (t) => {
  const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  t.match(parseTraceparent(good), { sampled: true })
  t.match(parseTraceparent(`${good.replace(/^00/, '01')}-more`), { sampled: true }, 'of a later version')
  for (const bad of [
    undefined,
    '',
    good.toUpperCase(),
    good.replace(/^00/, 'ff'),
    good.slice(1),
    `${good}0`,
    good.replace(/0af.*?-/, `${'0'.repeat(32)}-`),
  ])
    t.equal(parseTraceparent(bad), undefined, String(bad))
})

t.test('the variables', async (t) => {
  t.equal(resolveOtel({}), undefined)
  t.equal(resolveOtel({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'true' }), undefined)
  t.match(resolveOtel({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/' }), {
    tracesUrl: 'http://c:4318/v1/traces',
    metricsUrl: 'http://c:4318/v1/metrics',
    service: 'trefoil',
    sampler: { parentBased: true, ratio: 1 },
  })
  t.match(resolveOtel({ OTEL_TRACES_EXPORTER: 'otlp' }), {
    tracesUrl: 'http://localhost:4318/v1/traces',
    metricsUrl: undefined,
  })
  t.equal(
    resolveOtel({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'none',
    }),
    undefined,
  )
  const ratio = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' }
  t.match(resolveOtel({ OTEL_TRACES_EXPORTER: 'otlp', ...ratio })?.sampler, { parentBased: false, ratio: 0.25 })
  for (const bad of [
    { OTEL_TRACES_EXPORTER: 'zipkin' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_HEADERS: 'secret' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_TRACES_SAMPLER: 'jaeger_remote' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_METRIC_EXPORT_INTERVAL: 'soon' },
  ])
    t.throws(() => resolveOtel(bad), { name: 'StartError' }, JSON.stringify(bad))
})
