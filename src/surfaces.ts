/** The dialects, and those of them that have nothing to serve with. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { createAwsSurface } from './api/aws/index.ts'
import { quotasWith } from './api/aws/quotas.ts'
import { createAzureSurface } from './api/azure/index.ts'
import { createAzureEkmSurface } from './api/ekm/azure/index.ts'
import { createCloudEkmSurface } from './api/ekm/cloud/index.ts'
import { createCseSurface } from './api/ekm/cse/index.ts'
import { Exposures } from './api/exposures.ts'
import { createGcpSurface } from './api/gcp/index.ts'
import { TokenVerifier } from './api/oidc/verifier.ts'
import type { Surface } from './api/surface.ts'
import { createXksSurface, type XksOptions } from './api/xks/index.ts'
import type { IssuerConfig } from './config/issuer.ts'
import type { Config } from './config.ts'
import { KmsError } from './core/error.ts'
import type { Clock, Sealer } from './core/ports.ts'
import { Directory } from './core/principals/directory.ts'
import { Sessions } from './core/principals/sessions.ts'
import { MemoryStore } from './store/memory.ts'
import { VERSION } from './version.ts'

export type SurfaceParts = Omit<XksOptions, 'version'> & {
  readonly config: Config
  readonly log: Logger
  readonly clock: Clock
  readonly directory: Directory
  readonly sessions: Sessions
  standInKey(): Promise<KeyObject>
}

export function surfacesOf({
  config,
  log,
  clock,
  directory,
  sessions,
  standInKey,
  ...external
}: SurfaceParts): readonly Surface[] {
  const { callers } = config
  const { exposures, homeRealm } = external
  const verifier = (issuers: readonly IssuerConfig[]) =>
    new TokenVerifier({
      issuers,
      clock,
      failed: (issuer, err) => log.warn({ issuer, err }, 'the keys of an issuer can not be had'),
    })
  return [
    createGcpSurface({
      ...callers.gcp,
      verifier: verifier([...callers.gcp.issuers, ...callers.gcp.serviceAccounts]),
    }),
    createAwsSurface({
      directory,
      sessions,
      skewMs: config.aws.clockSkewMs,
      homeRealm,
      quotas: config.aws.quotas && quotasWith(config.aws.quotas),
    }),
    createAzureSurface({ ...callers.azure, verifier: verifier(callers.azure.issuers), standInKey }),
    createCloudEkmSurface({ exposures, homeRealm, version: VERSION }),
    createCseSurface({ exposures, homeRealm, version: VERSION }),
    createXksSurface({ ...external, version: VERSION }),
    // Last: it answers for prefixes that nobody has, too.
    createAzureEkmSurface({ exposures, homeRealm, version: VERSION, ready: external.ready }),
  ]
}

const unavailable = (): Promise<never> => Promise.reject(new KmsError('backend_unavailable'))
const CLOSED: Sealer = { seal: unavailable, unseal: unavailable }

/** They know how their refusals look, and neither principals nor keys. */
export function sealedSurfaces(config: Config, log: Logger, clock: Clock): readonly Surface[] {
  const fixed = { principals: [], accessKeys: [] }
  const directory = new Directory({ store: new MemoryStore(), sealer: CLOSED, clock, fixed })
  return surfacesOf({
    config,
    log,
    clock,
    directory,
    sessions: new Sessions(createSecretKey(randomBytes(32)), directory, clock),
    exposures: new Exposures([]),
    homeRealm: () => '',
    managers: [],
    placesOf: unavailable,
    ready: unavailable,
    standInKey: unavailable,
  })
}
