/** Sending the log to sinks: in order, at least once, whatever the sink does, and on from where it was after a crash. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Exporter } from '../../src/audit/export/exporter.ts'
import { FileSink } from '../../src/audit/export/file-sink.ts'
import { HttpSink } from '../../src/audit/export/http-sink.ts'
import type { Sink } from '../../src/audit/export/sink.ts'
import { syslogMessage } from '../../src/audit/export/syslog-message.ts'
import { SyslogDatagramSink, SyslogSink } from '../../src/audit/export/syslog-sink.ts'
import type { AuditLimits, ChainedAuditLog } from '../../src/audit/log.ts'
import { Random, REPEAT } from '../support/random.ts'
import { collector, firstSeen, parseMessage, syslogDatagrams, syslogServer, upTo } from './export-support.ts'
import { appendEach, makeLog, recordOf, until } from './support.ts'

const SMALL = { segmentBytes: 2000 }

async function exporting(t: Test, sink: Sink, limits: Partial<AuditLimits> = SMALL) {
  const world = await makeLog(t, limits)
  const log: ChainedAuditLog = await world.open()
  const cursor = join(world.root, 'exports', 'sink.json')
  const warnings: string[] = []
  const make = (): Exporter =>
    new Exporter({
      name: 'sink',
      sink,
      directory: world.directory,
      cursor,
      last: () => log.last,
      warn: (message) => void warnings.push(message),
    })
  const write = async (from: number, to: number, exporter?: Exporter): Promise<void> => {
    for (let n = from; n <= to; n++) {
      await appendEach(log, n, n)
      exporter?.notify()
    }
  }
  return { ...world, log, cursor, make, write, warnings }
}

/** Keeps what it is given, and fails when it is told to, before or after. */
function memorySink() {
  const seqs: number[] = []
  const next: ('before' | 'half')[] = []
  const sink: Sink = {
    settleMs: 0,
    async send(lines) {
      const how = next.shift()
      if (how === 'before') throw new Error('made by the test')
      const taken = how === 'half' ? lines.slice(0, lines.length >> 1) : lines
      seqs.push(...taken.map(({ seq }) => seq))
      if (how === 'half') throw new Error('made by the test')
    },
    check() {},
    async reset() {},
  }
  return { sink, seqs, next }
}

t.test('every record, in order, over many files and many failures', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  const { sink, seqs, next } = memorySink()
  const { make, write, warnings, segments } = await exporting(t, sink)
  await write(1, 40)
  const exporter = make()
  await exporter.start()
  for (let fault = 0; fault < 4; fault++) next.push(random.pick(['before', 'half']))
  await write(41, 120, exporter)
  await until(() => exporter.state.lag === 0)
  t.ok(segments().length > 10)
  t.same(firstSeen(seqs), upTo(120))
  t.match(exporter.state, { lag: 0, lagMs: 0, failures: 4, missing: 0 })
  t.equal(exporter.state.sent >= 120, true)
  const [first, last] = [warnings.filter((text) => /takes no records/.test(text)), warnings.at(-1)]
  t.ok(first.length >= 1 && first.length <= 4)
  t.match(last, /takes records again/)
  await exporter.stop()
})

t.test('goes on where it was, and sends again what it could not remember', async (t) => {
  const { sink, seqs } = memorySink()
  const { make, write, cursor } = await exporting(t, sink)
  await write(1, 10)
  const first = make()
  await first.start()
  await until(() => first.state.lag === 0)
  await first.stop()
  t.same(JSON.parse(readFileSync(cursor, 'utf8')), { seq: 10 })
  await write(11, 20)
  const second = make()
  t.equal(second.state.lag, 20, 'not started')
  await second.start()
  await until(() => second.state.lag === 0)
  await second.stop()
  t.same(seqs, upTo(20), 'nothing twice')
  writeFileSync(cursor, '{"seq":')
  const third = make()
  await third.start()
  await until(() => third.state.lag === 0)
  await third.stop()
  t.same(seqs, [...upTo(20), ...upTo(20)])
})

t.test('records that somebody took away are missed, and said to be', async (t) => {
  const { sink, seqs } = memorySink()
  const { make, write, segments, warnings } = await exporting(t, sink)
  await write(1, 30)
  const [one, two] = segments()
  rmSync(one ?? '')
  const firstOf = (path: string | undefined): number => Number(/(\d+)\.ndjson$/.exec(path ?? '')?.[1])
  const exporter = make()
  await exporter.start()
  await until(() => exporter.state.lag === 0)
  const first = firstOf(two)
  t.same(
    seqs,
    upTo(30).filter((seq) => seq >= first),
  )
  t.equal(exporter.state.missing, first - 1)
  t.match(warnings, [/records 1 to \d+ are not in the log any more/])
  await exporter.stop()
})

t.test('a log that is begun anew is sent from its start', async (t) => {
  const { sink, seqs } = memorySink()
  const { make, write, cursor, warnings } = await exporting(t, sink)
  await write(1, 3)
  await make().stop()
  t.notOk(existsSync(cursor), 'one that was never started remembers nothing')
  const exporter = make()
  await exporter.start()
  await until(() => exporter.state.lag === 0)
  await exporter.stop()
  writeFileSync(cursor, '{"seq":1000}')
  const again = make()
  await again.start()
  await until(() => again.state.lag === 0)
  await again.stop()
  t.same(seqs, [1, 2, 3, 1, 2, 3])
  t.match(warnings, [/another than before/])
})

t.test('RFC 5424', async (t) => {
  const line = (record: object) => parseMessage(syslogMessage({ seq: 2_147_483_648, text: JSON.stringify(record) }))
  t.match(line(recordOf(1)), { priority: 13 * 8 + 6, name: 'Encrypt', sequence: 1, record: recordOf(1) })
  t.equal(line({ ...recordOf(1), decision: 'deny', outcome: 'access_denied' }).priority, 13 * 8 + 4)
  t.equal(line({ ...recordOf(1), outcome: 'backend_unavailable' }).priority, 13 * 8 + 3)
  t.equal(line({ ...recordOf(1), operation: 'x y\n]"é' }).name, 'xy]"')
})

t.test('syslog over TCP, in both framings, to a server that is started again', async (t) => {
  for (const framing of ['octet-counting', 'newline'] as const) {
    const server = await syslogServer(t, { framing })
    const sink = new SyslogSink({ host: '127.0.0.1', port: server.port, transport: 'tcp', framing })
    const { make, write } = await exporting(t, sink)
    const exporter = make()
    await exporter.start()
    await write(1, 20, exporter)
    await until(() => server.messages.length >= 20)
    server.drop()
    await write(21, 30, exporter)
    await until(() => exporter.state.lag === 0)
    t.same(firstSeen(server.messages.map(({ record }) => record.seq)), upTo(30), framing)
    t.ok(exporter.state.failures > 0)
    await exporter.stop()
  }
})

t.test('syslog over TLS, to a server that is who it says', async (t) => {
  const directory = t.testdir({})
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile]
  execFileSync('openssl', ['req', '-x509', ...key, '-out', certFile, ...subject], { stdio: 'ignore' })
  const [cert, pem] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')]
  const server = await syslogServer(t, { tls: { cert, key: pem } })
  const options = { host: 'localhost', port: server.port, transport: 'tls', framing: 'octet-counting' } as const
  const { make, write } = await exporting(t, new SyslogSink({ ...options, ca: cert }))
  const exporter = make()
  await exporter.start()
  await write(1, 5, exporter)
  await until(() => server.messages.length === 5)
  await exporter.stop()
  await t.rejects(new SyslogSink(options).send([{ seq: 1, text: '{}' }]), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
})

t.test('syslog over UDP', async (t) => {
  const server = await syslogDatagrams(t)
  const { make, write } = await exporting(t, new SyslogDatagramSink({ host: '127.0.0.1', port: server.port }))
  const exporter = make()
  await exporter.start()
  await write(1, 5, exporter)
  await until(() => server.messages.length === 5)
  t.same(
    server.messages.map(({ record }) => record.seq),
    upTo(5),
  )
  await exporter.stop()
})

t.test('HTTP: until the collector says that it has them', async (t) => {
  const { url, batches } = await collector(t, [503, 302, 0])
  const { make, write } = await exporting(t, new HttpSink({ url, token: () => 'a-token' }))
  await write(1, 25)
  const exporter = make()
  await exporter.start()
  await until(() => exporter.state.lag === 0)
  t.same(firstSeen(batches.flatMap(({ lines }) => lines.map(({ seq }) => seq))), upTo(25))
  t.equal(exporter.state.failures, 3)
  t.match(batches[0]?.headers, {
    authorization: 'Bearer a-token',
    'content-type': 'application/x-ndjson',
    'x-trefoil-first-record': '1',
  })
  await exporter.stop()
})

t.test('a file that is moved away, and half a line of a crash', async (t) => {
  const path = join(t.testdir({}), 'copy', 'audit.ndjson')
  const { make, write, segments } = await exporting(t, new FileSink(path), {})
  const exporter = make()
  await exporter.start()
  await write(1, 5, exporter)
  await until(() => exporter.state.lag === 0)
  renameSync(path, `${path}.1`)
  await write(6, 9, exporter)
  await until(() => exporter.state.lag === 0)
  await exporter.stop()
  appendFileSync(path, '{"seq":10,"half')
  await write(10, 12)
  const again = make()
  await again.start()
  await until(() => again.state.lag === 0)
  await again.stop()
  const copied = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8')
  t.equal(
    copied,
    segments()
      .map((segment) => readFileSync(segment, 'utf8'))
      .join(''),
    'byte for byte',
  )
})
