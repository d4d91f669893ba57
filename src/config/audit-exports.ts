/** Where the audit log is sent besides its own directory. */
import { resolve as absolute } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../core/problem.ts'
import { isLoopback, type Rules } from './listeners.ts'
import { closed, oneOf, Path, SecretSource } from './parts.ts'
import { checkSource } from './source.ts'

const Certificates = { ca: Type.Optional(Path), clientCert: Type.Optional(Path), clientKey: Type.Optional(Path) }

/** Exactly one of `syslog`, `http` and `file`. */
export const AuditExport = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$', description: 'lower case letters, digits and hyphens' }),
    syslog: Type.Optional(
      Type.Object(
        {
          host: Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,253}$', description: 'a host name or IP address' }),
          port: Type.Integer({ minimum: 1, maximum: 65_535 }),
          transport: Type.Optional(oneOf(['tls', 'tcp', 'udp'])),
          framing: Type.Optional(oneOf(['octet-counting', 'newline'])),
          ...Certificates,
        },
        closed,
      ),
    ),
    http: Type.Optional(
      Type.Object(
        {
          url: Type.String({ pattern: '^https?://[^@\\s]+$', maxLength: 2048, description: 'a URL without a user' }),
          /** Sent as a bearer token. */
          token: Type.Optional(SecretSource),
          ...Certificates,
        },
        closed,
      ),
    ),
    file: Type.Optional(Type.Object({ path: Path }, closed)),
  },
  closed,
)
type Settings = Static<typeof AuditExport>

type Client = {
  readonly ca?: string
  readonly client?: { readonly cert: string; readonly key: string }
}
export type SyslogConfig = Client & {
  readonly host: string
  readonly port: number
  readonly transport: 'tls' | 'tcp' | 'udp'
  readonly framing: 'octet-counting' | 'newline'
}
export type HttpConfig = Client & { readonly url: string; readonly token?: SecretSource }
export type AuditExportConfig = { readonly name: string } & (
  | { readonly syslog: SyslogConfig }
  | { readonly http: HttpConfig }
  | { readonly file: { readonly path: string } }
)

function certificates(
  { ca, clientCert, clientKey }: Pick<NonNullable<Settings['http']>, 'ca' | 'clientCert' | 'clientKey'>,
  where: string,
): Client {
  if ((clientCert === undefined) !== (clientKey === undefined))
    throw new Problem(`${where} names only one of clientCert and clientKey`, 'set both or none')
  return {
    ...(ca !== undefined && { ca: absolute(ca) }),
    ...(clientCert !== undefined &&
      clientKey !== undefined && { client: { cert: absolute(clientCert), key: absolute(clientKey) } }),
  }
}

function refusePlain(host: string, where: string, { profile, refusals }: Rules): void {
  if (profile !== 'production' || isLoopback(host)) return
  refusals.add(
    `${where} sends the audit log to ${host} in the clear`,
    `use TLS, or send it to a forwarder on this machine`,
  )
}

function resolveOne(settings: Settings, where: string, rules: Rules): AuditExportConfig {
  const { name, syslog, http, file } = settings
  if ([syslog, http, file].filter((one) => one !== undefined).length !== 1)
    throw new Problem(`${where} has not exactly one of syslog, http and file`, 'set one of them, and an entry for each')
  if (file !== undefined) return { name, file: { path: absolute(file.path) } }
  if (http !== undefined) {
    const { protocol, hostname } = new URL(http.url)
    if (protocol === 'http:') refusePlain(hostname, where, rules)
    const token = http.token && checkSource(http.token, `${where}.http.token`)
    return { name, http: { url: http.url, ...(token && { token }), ...certificates(http, `${where}.http`) } }
  }
  const { host = '', port = 0, transport = 'tls', framing = 'octet-counting' } = syslog ?? {}
  if (transport !== 'tls') refusePlain(host, where, rules)
  return { name, syslog: { host, port, transport, framing, ...certificates(syslog ?? {}, `${where}.syslog`) } }
}

/** @throws Problem */
export function resolveAuditExports(settings: readonly Settings[], rules: Rules): readonly AuditExportConfig[] {
  const names = settings.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Problem(`two of audit.exports are named ${twice}`, 'give one of them another name')
  return settings.map((one, index) => resolveOne(one, `audit.exports[${index}]`, rules))
}
