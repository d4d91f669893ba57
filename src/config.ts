/**
 * The configuration: trefoil.yaml, then TREFOIL_* variables, then command-line options, each over the one before.
 * The only file that reads process.env.
 */
import { existsSync, readFileSync } from 'node:fs'
import { resolve as absolute, dirname } from 'node:path'
import { checkSettings } from './config/check.ts'
import { type Environment, fromEnvironment } from './config/environment.ts'
import { otelHeaders, resolveOtel } from './config/otel.ts'
import { checkMachine } from './config/production.ts'
import { Refusals } from './config/refusals.ts'
import { type Config, resolve, type SecretSource } from './config/resolve.ts'
import type { Settings } from './config/schema.ts'
import { readYaml } from './config/yaml.ts'
import { Problem } from './core/problem.ts'
import { isRecord } from './core/record.ts'
import { Secret } from './core/secret.ts'

export type { Environment } from './config/environment.ts'
export {
  type AuthMode,
  authority,
  isLoopback,
  type ListenerConfig,
  type Profile,
  type ProxyConfig,
  type TlsConfig,
} from './config/listeners.ts'
export type { MetricsConfig } from './config/metrics.ts'
export type {
  Config,
  ExposureConfig,
  HsmConfig,
  RingConfig,
  RootKeyConfig,
  SecretSource,
} from './config/resolve.ts'
export type { EscrowConfig } from './config/root-key.ts'
export type { Settings } from './config/schema.ts'
export { readYaml } from './config/yaml.ts'

export const DEFAULT_FILE = 'trefoil.yaml'

export type ConfigSources = {
  /** `--config`; TREFOIL_CONFIG and then ./trefoil.yaml otherwise. */
  readonly file?: string | undefined
  /** From command-line options. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined
  readonly env?: Environment | undefined
}

/** `tls: true` for `tls: {}`; paths in a file are relative to the file. */
function readSettings(path: string): Settings {
  const value = readYaml(path, `the configuration file ${path}`, path)
  if (typeof value === 'object' && value !== null && 'listeners' in value && Array.isArray(value.listeners)) {
    for (const listener of value.listeners) if (listener?.tls === true) listener.tls = {}
  }
  const settings = checkSettings(value, path)
  return settings.dataDir === undefined ? settings : { ...settings, dataDir: absolute(dirname(path), settings.dataDir) }
}

function merge(
  under: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isRecord(below) && isRecord(value) ? merge(below, value) : value
  }
  return merged
}

/** In dev, what the cloud's own tools are set to; the developer's next command uses it. */
function fromCloudTools(env: Environment): Settings {
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION
  const account = env.AWS_ACCOUNT_ID
  const project = env.CLOUDSDK_CORE_PROJECT
  const settings = {
    realm: { aws: { ...(region ? { region } : {}), ...(account ? { account } : {}) }, gcp: project ? { project } : {} },
  }
  return checkSettings(settings, 'AWS_REGION, AWS_ACCOUNT_ID and CLOUDSDK_CORE_PROJECT')
}

/** Names of the variables that `env:` sources point at. */
function secretNames(value: unknown, into = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const item of value) secretNames(item, into)
  else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (key === 'env' && typeof item === 'string') into.add(item)
      else secretNames(item, into)
    }
  }
  return into
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child)
    Object.freeze(value)
  }
  return value
}

/**
 * The whole configuration, checked, with defaults, frozen.
 * @throws Problem for what is unknown, malformed or contradicts itself
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  const env = sources.env ?? process.env
  const named = sources.file ?? (env.TREFOIL_CONFIG || undefined)
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined)
  const written = file === undefined ? {} : readSettings(absolute(file))
  // A list in the environment may point at a secret in the environment, so its names are collected before they are judged.
  const pointers = Object.entries(env).filter(([name]) =>
    /^TREFOIL_(HSM|AUDIT_EXPORTS|(PREVIOUS_)?ROOT_KEY_PASSPHRASE_ENV|AWS_PRINCIPALS|EXPOSURES)$/.test(name),
  )
  const settings = fromEnvironment(Object.fromEntries(pointers), new Set())
  const secrets = secretNames(settings, secretNames(written))
  const surrounding = checkSettings(fromEnvironment(env, secrets), 'the environment')
  const options = checkSettings(sources.overrides ?? {}, 'the command line')
  const chosen = [surrounding, options].reduce<Settings>((under, over) => merge(under, over), written)
  const tools = (chosen.profile ?? 'dev') === 'dev' ? fromCloudTools(env) : {}
  const refusals = new Refusals()
  const config = resolve(merge(tools, chosen), refusals)
  checkMachine(config, refusals)
  refusals.throwIfAny()
  const otel = resolveOtel(env)
  return deepFreeze(otel === undefined ? config : { ...config, otel })
}

/** Headers of OpenTelemetry's collector, which may hold a secret. */
export const readOtelHeaders = (env: Environment = process.env) => otelHeaders(env)

/** For `--print-config`. Secrets are not in the configuration, only where they come from; user parts of URLs are refused. */
export function redactedConfig(config: Config): unknown {
  return structuredClone(config)
}

function readSource(source: SecretSource, env: Environment): Buffer | undefined {
  if (source.env !== undefined) {
    const value = env[source.env]
    return value === undefined ? undefined : Buffer.from(value, 'utf8')
  }
  return readFileSync(source.fd ?? source.file ?? '')
}

const describeSource = (source: SecretSource): string =>
  source.env !== undefined
    ? `the environment variable ${source.env}`
    : source.file !== undefined
      ? source.file
      : `file descriptor ${source.fd}`

/**
 * Fetches a secret; one trailing line break is not part of it.
 * @param what for messages: `the passphrase`, `the PIN of hsm a`
 * @throws Problem when it is missing or empty
 */
export function readSecret(source: SecretSource, what: string, env: Environment = process.env): Secret {
  let bytes: Buffer | undefined
  try {
    bytes = readSource(source, env)
  } catch (error) {
    throw new Problem(`${what} cannot be read from ${describeSource(source)}`, 'check that it exists and may be read', {
      cause: error,
    })
  }
  let end = bytes?.length ?? 0
  if (bytes?.[end - 1] === 0x0a) end--
  if (bytes?.[end - 1] === 0x0d) end--
  if (bytes === undefined || end === 0) {
    throw new Problem(
      `${what} is missing: ${describeSource(source)} is ${bytes === undefined ? 'not set' : 'empty'}`,
      `put ${what} there`,
    )
  }
  const secret = new Secret(Uint8Array.from(bytes.subarray(0, end)))
  bytes.fill(0)
  return secret
}

/** Variables that are ours or a cloud client's: none of a vendor's library's business. */
const NOT_FOR_LIBRARIES = /^(TREFOIL_|OTEL_|AWS_|AZURE_|GOOGLE_|CLOUDSDK_|LD_PRELOAD$|NODE_)/

/** What a PKCS#11 library may read of the environment (each vendor has variables of its own): all but ours and secrets. */
export function hsmEnvironment(config: Config, env: Environment = process.env): Readonly<Record<string, string>> {
  const secrets = secretNames({
    hsm: config.hsm,
    keyStores: config.keyStores,
    audit: config.audit.exports,
    exposures: config.exposures,
    rootKeys: [config.rootKey, config.previousRootKey],
    accessKeys: config.aws.principals.map((one) => one.accessKeys),
  })
  const entries = Object.entries(env).filter(([name]) => !NOT_FOR_LIBRARIES.test(name) && !secrets.has(name))
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])))
}
