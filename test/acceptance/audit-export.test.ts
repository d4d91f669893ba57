/** The real server sends its audit log: killed in the middle, and to sinks that are dead or take nothing. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import t from 'tap'
import { firstSeen, syslogServer, upTo } from '../audit/export-support.ts'
import { until } from '../audit/support.ts'
import { metricsUrl, scrape } from '../metrics/support.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'

const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.GenerateRandom' }

async function ask({ plainUrl }: RunningTrefoil, times: number): Promise<void> {
  for (let asked = 0; asked < times; asked++) {
    const response = await fetch(plainUrl, { method: 'POST', headers, body: '{"NumberOfBytes":8}' })
    if (response.status !== 200) throw new Error(await response.text())
    await response.arrayBuffer()
  }
}

const recordsIn = (dataDir: string): number =>
  readdirSync(join(dataDir, 'audit'))
    .flatMap((name) => readFileSync(join(dataDir, 'audit', name), 'utf8').split('\n'))
    .filter((line) => line !== '').length

t.test('killed while it sends, it goes on without a loss', async (t) => {
  const syslog = await syslogServer(t)
  const target = { host: '127.0.0.1', port: syslog.port, transport: 'tcp' }
  const config = { audit: { exports: [{ name: 'siem', syslog: target }] }, log: { format: 'json' } }
  let server = await startTrefoil({ config })
  const { dataDir } = server
  t.teardown(() => rmSync(dirname(dataDir), { recursive: true, force: true }))
  for (let life = 0; life < 2; life++) {
    await ask(server, 20)
    // What is on its way, or not sent yet, is left to the next life.
    void ask(server, 1000).catch(() => {})
    await until(() => syslog.messages.length > 30 * (life + 1))
    await server.kill()
    server = await startTrefoil({ config, dataDir })
  }
  await ask(server, 5)
  t.equal(await server.stop(), 0)
  const total = recordsIn(dataDir)
  await until(() => firstSeen(syslog.messages.map(({ record }) => record.seq)).length >= total)
  t.same(firstSeen(syslog.messages.map(({ record }) => record.seq)), upTo(total))
  t.notMatch(server.log(), /"level":(50|60)/)
})

t.test('a sink that is dead, and one that reads nothing, keep nobody waiting', async (t) => {
  const dead = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => dead.once('listening', resolve))
  const address = dead.address()
  const deadPort = typeof address === 'object' && address !== null ? address.port : 0
  await new Promise((resolve) => dead.close(resolve))
  const slow = await syslogServer(t)
  slow.pause(true)
  const syslog = (port: number) => ({ host: '127.0.0.1', port, transport: 'tcp' })
  const exports = [
    { name: 'dead', http: { url: `http://127.0.0.1:${deadPort}/` } },
    { name: 'slow', syslog: syslog(slow.port) },
  ]
  const server = await startTrefoil({ config: { audit: { exports }, metrics: { port: 0 }, log: { format: 'json' } } })
  t.teardown(() => server.stop())
  await ask(server, 200)
  await server.logged(/audit export dead: the sink takes no records/)
  const samples = await scrape(await metricsUrl(server))
  const of = (name: string, sink: string): number =>
    samples.find((sample) => sample.name === name && sample.labels.sink === sink)?.value ?? -1
  t.equal(of('trefoil_audit_export_lag_records', 'dead'), 200)
  t.ok(of('trefoil_audit_export_lag_seconds', 'dead') > 0)
  t.ok(of('trefoil_audit_export_failures_total', 'dead') > 0)
  t.equal(of('trefoil_audit_export_sent_total', 'dead'), 0)
  slow.pause(false)
  await until(() => slow.messages.length >= 200)
  t.same(firstSeen(slow.messages.map(({ record }) => record.seq)), upTo(200))
})
