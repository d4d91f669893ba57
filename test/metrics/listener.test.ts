/** The metrics' listener of the real server, and what the settings for it may say. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { startTrefoil } from '../support/process.ts'
import { metricsUrl, parseText, scrape } from './support.ts'

const readTls = (url: string, ca: Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { ca, servername: 'localhost' }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.once('end', () => resolve(text))
    }).once('error', reject)
  })

t.test('has one path and one method, and is nowhere else', async (t) => {
  const server = await startTrefoil({ config: { metrics: { port: 0 }, log: { format: 'json' } } })
  t.teardown(() => server.stop())
  const url = await metricsUrl(server)
  const response = await fetch(url)
  t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const samples = parseText(await response.text())
  const reading = (name: string, part?: string) =>
    samples.find(
      (sample) => sample.name === name && (part === undefined || Object.values(sample.labels).includes(part)),
    )?.value
  for (const part of ['store', 'audit', 'software']) t.equal(reading('trefoil_up', part), 1, part)
  t.ok((reading('process_resident_memory_bytes') ?? 0) > 10_000_000)
  t.equal(reading('trefoil_backend_calls_limit', 'software'), 1024)
  t.equal(reading('trefoil_overdue', 'RotateKey') ?? reading('trefoil_overdue'), 0)
  const expiry = reading('trefoil_certificate_expiry_timestamp_seconds') ?? 0
  t.ok(expiry > Date.now() / 1000 + 300 * 86_400, 'the local certificate lasts for a year')
  t.equal((await fetch(url.replace('/metrics', '/'))).status, 404)
  t.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405)
  t.equal((await fetch(`${server.plainUrl}/metrics`)).status, 404, 'not beside the dialects')
  const both = await Promise.all([scrape(url), scrape(url)])
  t.ok(both.every((read) => read.length > 20))
})

t.test('with TLS, and a certificate of the client where one is asked for', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-metrics-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ],
    { stdio: 'ignore' },
  )
  const server = await startTrefoil({ config: { metrics: { port: 0, tls: { cert, key } }, log: { format: 'json' } } })
  t.teardown(() => server.stop())
  const url = await metricsUrl(server)
  t.match(await readTls(url, readFileSync(cert)), 'trefoil_build_info{')
  const asking = await startTrefoil({
    config: { metrics: { port: 0, tls: { cert, key, clientCa: cert } }, log: { format: 'json' } },
  })
  t.teardown(() => asking.stop())
  await t.rejects(readTls(await metricsUrl(asking), readFileSync(cert)))
})

t.test('settings', async (t) => {
  const load = (metrics: unknown, more: Record<string, unknown> = {}) =>
    loadConfig({ overrides: { metrics, ...more }, env: {} })
  t.equal(loadConfig({ env: {} }).metrics, undefined)
  t.same(load({ port: 9100 }).metrics, { address: '127.0.0.1', port: 9100 })
  t.same(loadConfig({ env: { TREFOIL_METRICS_PORT: '9100' } }).metrics, { address: '127.0.0.1', port: 9100 })
  t.throws(() => load({ address: '0.0.0.0' }), { message: 'metrics names no port' })
  t.throws(() => load({ port: 9100, tls: { minVersion: 'TLSv1.3' } }), { message: 'metrics.tls names no certificate' })
  t.throws(() => load({ port: 9100, address: '0.0.0.0' }, { profile: 'production' }), {
    message: /metrics are served without TLS at 0\.0\.0\.0/,
  })
  t.equal(load({ port: 9100, address: '0.0.0.0' }).metrics?.address, '0.0.0.0', 'development may')
})
