/** The sinks of the configuration. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Exporter, type ExporterOptions, type ExportState } from './exporter.ts'
import { FileSink } from './file-sink.ts'
import { HttpSink } from './http-sink.ts'
import type { Sink } from './sink.ts'
import { SyslogDatagramSink, SyslogSink } from './syslog-sink.ts'

type Client = {
  readonly ca?: string
  readonly client?: { readonly cert: string; readonly key: string }
}
export type SinkConfig = { readonly name: string } & (
  | {
      readonly syslog: Client & {
        readonly host: string
        readonly port: number
        readonly transport: 'tls' | 'tcp' | 'udp'
        readonly framing: 'octet-counting' | 'newline'
      }
    }
  | { readonly http: Client & { readonly url: string; token?(): string } }
  | { readonly file: { readonly path: string } }
)

const pemOf = ({ ca, client }: Client) => ({
  ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }),
  ...(client && { client: { cert: readFileSync(client.cert, 'utf8'), key: readFileSync(client.key, 'utf8') } }),
})

function sinkOf(config: SinkConfig): Sink {
  if ('file' in config) return new FileSink(config.file.path)
  if ('http' in config) {
    const { url, token } = config.http
    return new HttpSink({ url, ...(token && { token }), ...pemOf(config.http) })
  }
  const { host, port, transport, framing } = config.syslog
  return transport === 'udp'
    ? new SyslogDatagramSink({ host, port })
    : new SyslogSink({ host, port, transport, framing, ...pemOf(config.syslog) })
}

export type ExportsOptions = Pick<ExporterOptions, 'directory' | 'last' | 'warn'> & {
  readonly sinks: readonly SinkConfig[]
  /** Where each sink's position is kept. */
  readonly cursors: string
}

export class AuditExports {
  readonly #exporters: readonly Exporter[]

  /** @throws where a certificate can't be read */
  constructor({ sinks, cursors, ...options }: ExportsOptions) {
    this.#exporters = sinks.map(
      (config) =>
        new Exporter({
          ...options,
          name: config.name,
          sink: sinkOf(config),
          cursor: join(cursors, `${config.name}.json`),
        }),
    )
  }

  get states(): readonly ExportState[] {
    return this.#exporters.map(({ state }) => state)
  }

  async start(): Promise<void> {
    for (const exporter of this.#exporters) await exporter.start()
  }

  /** The log has grown. */
  notify(): void {
    for (const exporter of this.#exporters) exporter.notify()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#exporters.map((exporter) => exporter.stop()))
  }
}
