/** Reading the configuration again while serving: what can change does so all at once, the rest is named. */
import type { Logger } from 'pino'
import type { Exposures } from './api/exposures.ts'
import type { Server } from './api/server.ts'
import { differences } from './config/difference.ts'
import { loadExposures } from './config/exposures/index.ts'
import { fixedPrincipals } from './config/principals.ts'
import { type Config, readSecret, type SecretSource } from './config.ts'
import { invalidArgument, StartError } from './core/error.ts'
import type { Reloaded } from './core/ops/reload.ts'
import type { Directory } from './core/principals/directory.ts'
import { describeProblem } from './core/problem.ts'
import type { Secret } from './core/secret.ts'
import type { Observation } from './observe.ts'

/** Settings that change without a restart. */
const CHANGEABLE: ReadonlySet<string> = new Set(['aws.principals', 'exposures', 'log.level'])

/** Reads a secret as often as asked: what came by a descriptor is gone from there, and is remembered. */
export function rereadable(): (source: SecretSource, what: string) => Secret {
  const known = new Map<number, Secret>()
  return (source, what) => {
    const { fd } = source
    const secret = (fd === undefined ? undefined : known.get(fd)) ?? readSecret(source, what)
    if (fd !== undefined) known.set(fd, secret)
    return secret
  }
}

export type ReloadParts = {
  readonly config: Config
  /** The configuration as it is written now. @throws Problem */
  reread(): Config
  readonly readSecret: ReturnType<typeof rereadable>
  readonly server: Pick<Server, 'readCertificates'>
  readonly observation: Pick<Observation, 'readCertificates'>
  readonly exposures: Exposures
  readonly directory: Directory
  readonly log: Logger
}

/** Everything is read and checked before anything is put in place, which cannot fail. @throws StartError */
async function prepare(next: Config, parts: ReloadParts): Promise<() => Promise<void>> {
  const exposures = loadExposures(next.exposures, parts.readSecret)
  const principals = fixedPrincipals(next.aws.principals, parts.readSecret)
  const certificates = [await parts.server.readCertificates(), parts.observation.readCertificates()]
  return () => {
    for (const put of certificates) put()
    parts.exposures.replace(exposures)
    parts.log.level = next.log.level
    return parts.directory.replaceFixed(principals)
  }
}

/** @returns what reads the configuration again; runs one at a time */
export function reloader(parts: ReloadParts): () => Promise<Reloaded> {
  let inForce = parts.config
  let last: Promise<unknown> = Promise.resolve()
  const run = async (): Promise<Reloaded> => {
    const next = parts.reread()
    const put = await prepare(next, parts)
    await put()
    const changed = differences(inForce, next).filter((name) => CHANGEABLE.has(name))
    inForce = next
    return { changed, waiting: differences(parts.config, next).filter((name) => !CHANGEABLE.has(name)) }
  }
  return () => {
    const running = last.then(run).catch((error: unknown) => {
      if (!(error instanceof StartError)) throw error
      throw invalidArgument('configuration', describeProblem(error))
    })
    last = running.catch(() => {})
    return running
  }
}
