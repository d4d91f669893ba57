/**
 * Exposures: keys that the clouds call out for. A protocol is a file here and a row in each table below; its dialect is
 * in common.ts.
 */
import type { TSchema } from '@sinclair/typebox'
import type { ExternalDialect } from '../../core/key.ts'
import { Problem } from '../../core/problem.ts'
import type { ListenerConfig } from '../listeners.ts'
import { AzureEkmExposure, loadAzureEkm, resolveAzureEkm } from './azure-ekm.ts'
import { type CloudEkmConfig, CloudEkmExposure, resolveCloudEkm } from './cloud-ekm.ts'
import { type AnyExposure, checkUnique, PROTOCOL_DIALECTS, type Protocol, type ReadSecret } from './common.ts'
import { type CseConfig, CseExposure, resolveCse } from './cse.ts'
import { loadXks, resolveXks, XksExposure } from './xks.ts'

type Row = {
  readonly schema: TSchema
  /** From settings that its schema accepted; `dev`: what only this machine can see may come in plain. @throws Problem */
  resolve(
    settings: never,
    where: string,
    dev: boolean,
  ): { readonly protocol: Protocol; readonly name: string; readonly path: string }
  /** Reads the secrets. @throws Problem */
  load(config: never, readSecret: ReadSecret): { readonly protocol: Protocol; readonly name: string }
}
function withoutSecrets<T>(config: T): T {
  return config
}
const ROWS = {
  xks: { schema: XksExposure, resolve: resolveXks, load: loadXks },
  'cloud-ekm': { schema: CloudEkmExposure, resolve: resolveCloudEkm, load: withoutSecrets<CloudEkmConfig> },
  'azure-ekm': { schema: AzureEkmExposure, resolve: resolveAzureEkm, load: loadAzureEkm },
  cse: { schema: CseExposure, resolve: resolveCse, load: withoutSecrets<CseConfig> },
} as const satisfies Record<Protocol, Row>

/** As configured: secrets are where they come from. */
export type ExposureConfig = ReturnType<(typeof ROWS)[Protocol]['resolve']>
/** With its secrets. */
export type Exposure = ReturnType<(typeof ROWS)[Protocol]['load']>
export type ExposureOf<P extends Protocol> = Extract<Exposure, { readonly protocol: P }>
export type { Protocol }

export const exposureSchema = (protocol: Protocol): TSchema => ROWS[protocol].schema

/** What callers address an exposure by; no two may share it. */
const addressOf = (exposure: ExposureConfig): string => `${exposure.protocol} ${exposure.path}`

/** @throws Problem */
export function resolveExposures(settings: readonly AnyExposure[], dev: boolean): readonly ExposureConfig[] {
  const exposures = settings.map((one, index) => ROWS[one.protocol].resolve(one as never, `exposures[${index}]`, dev))
  checkUnique(
    exposures.map(({ name }) => name),
    'exposures',
  )
  checkUnique(exposures.map(addressOf), 'exposures')
  checkPaths(exposures)
  return exposures
}

export const exposureDialect = ({ protocol }: ExposureConfig): ExternalDialect => PROTOCOL_DIALECTS[protocol]

/** Protocols of one dialect are told apart by their paths. @throws Problem */
function checkPaths(exposures: readonly ExposureConfig[]): void {
  for (const outer of exposures) {
    const inner = exposures.find(
      (one) =>
        one.protocol !== outer.protocol &&
        exposureDialect(one) === exposureDialect(outer) &&
        outer.path !== '' &&
        `${one.path}/`.startsWith(`${outer.path}/`),
    )
    if (inner === undefined) continue
    throw new Problem(
      `the exposure ${inner.name} (${inner.path}) is below the path of ${outer.name} (${outer.path}), of another protocol`,
      'give one of them another path',
    )
  }
}

const asksForCertificates = ({ tls, proxy }: ListenerConfig): boolean =>
  tls?.clientCa !== undefined || proxy?.clientCertificate !== undefined

/** Whether callers are told by their certificates. */
export const namesClients = (exposure: ExposureConfig): boolean =>
  'clients' in exposure || ('clientNames' in exposure && exposure.clientNames !== undefined)

/** No listener serves external callers unless it says so. @throws Problem for an exposure that nobody could reach */
export function checkServed(exposures: readonly ExposureConfig[], listeners: readonly ListenerConfig[]): void {
  for (const exposure of exposures) {
    const dialect = exposureDialect(exposure)
    const serving = listeners.filter(({ dialects }) => dialects.includes(dialect))
    if (serving.length === 0) {
      throw new Problem(
        `the exposure ${exposure.name} is served by no listener`,
        `add a listener with dialects: [${dialect}] to listeners`,
      )
    }
    if (exposure.protocol === 'azure-ekm' && serving.some(({ dialects }) => dialects.includes('azure'))) {
      throw new Problem(
        `the exposure ${exposure.name} and Key Vault share a listener, and some of their paths are the same`,
        'give ekm a listener of its own',
      )
    }
    if (namesClients(exposure) && !serving.some(asksForCertificates)) {
      throw new Problem(
        `the exposure ${exposure.name} names its clients, and no listener of ${dialect} asks them for certificates`,
        'set tls.clientCa of that listener, or clientCertificate where a proxy in front asks for them',
      )
    }
  }
}

/** Reads every secret, or changes nothing. @throws Problem */
export const loadExposures = (exposures: readonly ExposureConfig[], readSecret: ReadSecret): readonly Exposure[] =>
  exposures.map((exposure) => ROWS[exposure.protocol].load(exposure as never, readSecret))
