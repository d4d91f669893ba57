import { SIGNAL } from '../api/admin/index.ts'
import type { BoundListener } from '../api/server.ts'
import type { Config } from '../config.ts'
import type { Realm } from '../core/key.ts'
import { makeService, type Trefoil } from '../main.ts'

/** After this the process ends, whatever is still in flight. */
const STOP_DEADLINE_MS = 10_000

const addresses = ({ aws, gcp, azure }: Realm): readonly string[] => [
  ...(aws ? [`aws=${aws.account}/${aws.region}`] : []),
  ...(gcp ? [`gcp=projects/${gcp.project}/locations/${gcp.location}`] : []),
  ...(azure ? [`azure=${azure.tenant}`] : []),
]

/** A sealed server has no realms to name. */
const startLine = (listeners: readonly BoundListener[], realm: Realm | undefined): string =>
  [
    realm === undefined ? 'trefoil sealed' : 'trefoil ready',
    ...listeners.map(({ url }) => url),
    ...(realm === undefined ? [] : addresses(realm)),
  ].join(' ')

/** In development the stand-in for Entra has callers of its own. */
function warnOfNobody({ profile, auth, callers }: Config, log: Trefoil['log']): void {
  const { azure, gcp } = callers
  if (profile === 'production' && auth.azure === 'enforce' && azure.issuers.length === 0) {
    log.warn({ dialect: 'azure' }, 'nobody is let in: azure.oidc.issuers names no issuer')
  }
  if (auth.gcp === 'enforce' && gcp.issuers.length + gcp.serviceAccounts.length === 0) {
    log.warn({ dialect: 'gcp' }, 'nobody is let in: neither gcp.serviceAccounts nor gcp.oidc.issuers names anybody')
  }
}

/** Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again. */
export async function runServe(config: Config, reread: () => Config): Promise<undefined> {
  const service = makeService(config, reread)
  const { log } = service
  for (const [dialect, mode] of Object.entries(config.auth)) {
    if (mode !== 'enforce') log.warn({ dialect, auth: mode }, 'UNSAFE: credentials are not checked; loopback only')
  }
  warnOfNobody(config, log)
  const listeners = await service.start()
  const stop = (): void => {
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
    service.stop().then(
      () => process.exit(0),
      (err: unknown) => {
        log.fatal({ err }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  process.on('SIGHUP', () => {
    service.admin.run('reload', {}, SIGNAL).then(
      (reloaded) => log.info(reloaded, 'configuration and certificates are read again'),
      (err: unknown) => log.error({ err }, 'nothing was reloaded'),
    )
  })
  process.stdout.write(`${startLine(listeners, service.trefoil?.realm)}\n`)
  return undefined
}
