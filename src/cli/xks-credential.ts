/**
 * `trefoil xks credential`: an exposure's path and one of its credentials in the form that AWS's console takes
 * (specification v1.0.3, "XKS proxy configuration in AWS KMS console"). Secrets go into files of mode 0600 and nowhere else.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { resolve as absolute } from 'node:path'
import { loadXks, type XksConfig } from '../config/exposures/xks.ts'
import { nearest } from '../config/nearest.ts'
import { type ExposureConfig, readSecret } from '../config.ts'
import { Problem } from '../core/problem.ts'

export type XksCredentialOptions = {
  readonly 'access-key-id'?: string
  readonly new?: boolean
  readonly out?: string
}
type Credential = XksConfig['credentials'][number]

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const newAccessKeyId = (): string => Array.from(randomBytes(26), (byte) => ALPHABET[byte & 31]).join('')
/** 256 bits in 44 characters. */
const newSecret = (): string => randomBytes(32).toString('base64')

/** @throws Problem where something is there already */
function writeNew(path: string, text: string): void {
  let fd: number
  try {
    fd = openSync(path, 'wx', 0o600)
  } catch (cause) {
    const there = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    throw new Problem(
      there ? `${path} is there already` : `${path} cannot be written`,
      there ? 'move it away, or name another file with --out' : 'check the directory and its permissions',
      { cause },
    )
  }
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function findExposure(exposures: readonly ExposureConfig[], name: string): XksConfig {
  const all = exposures.filter((one): one is XksConfig => one.protocol === 'xks')
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  const names = all.map((one) => one.name)
  const meant = nearest(name, names)
  throw new Problem(
    `the configuration has no exposure ${JSON.stringify(name)} of protocol xks`,
    meant === undefined ? `name one of: ${names.join(', ') || '(there is none yet)'}` : `did you mean ${meant}?`,
  )
}

function findCredential({ name, credentials }: XksConfig, id: string | undefined): Credential {
  const found = id === undefined ? credentials.at(-1) : credentials.find(({ accessKeyId }) => accessKeyId === id)
  if (found !== undefined) return found
  const ids = credentials.map(({ accessKeyId }) => accessKeyId)
  throw new Problem(`the exposure ${name} has no access key ${id}`, `name one of: ${ids.join(', ')}`)
}

/** What an operator means by naming a file that is not there is that it be made. */
function makeMissing({ secret }: Credential): string | undefined {
  if (secret.file === undefined || existsSync(secret.file)) return undefined
  writeNew(secret.file, `${newSecret()}\n`)
  return secret.file
}

function added({ name, credentials }: XksConfig): Credential {
  const taken = new Set(credentials.map(({ accessKeyId }) => accessKeyId))
  let accessKeyId = newAccessKeyId()
  while (taken.has(accessKeyId)) accessKeyId = newAccessKeyId()
  return { accessKeyId, secret: { file: absolute(`${name}-${accessKeyId}.secret`) } }
}

function consoleFile({ path }: XksConfig, accessKeyId: string, secret: string): string {
  const value = {
    XksProxyUriPath: path,
    XksProxyAuthenticationCredential: { AccessKeyId: accessKeyId, RawSecretAccessKey: secret },
  }
  return `${JSON.stringify(value, null, 2)}\n`
}

export async function runXksCredential(
  exposures: readonly ExposureConfig[],
  name: string,
  options: XksCredentialOptions,
): Promise<number> {
  const exposure = findExposure(exposures, name)
  const isNew = options.new === true
  if (isNew && options['access-key-id'] !== undefined) {
    throw new Problem('--new makes an access key id of its own', 'leave --access-key-id out')
  }
  const credential = isNew ? added(exposure) : findCredential(exposure, options['access-key-id'])
  const out = absolute(options.out ?? `${name}.xks.json`)
  if (existsSync(out)) throw new Problem(`${out} is there already`, 'move it away, or name another file with --out')
  const made = makeMissing(credential)
  const [loaded] = loadXks({ ...exposure, credentials: [credential] }, readSecret).credentials
  if (loaded === undefined) throw new Problem('there is no credential to write', `add one to the exposure ${name}`)
  const { accessKeyId } = credential
  writeNew(
    out,
    loaded.secret.use((bytes) => consoleFile(exposure, accessKeyId, Buffer.from(bytes).toString('latin1'))),
  )
  const lines = [`${out}: the file for AWS, of access key ${accessKeyId} and path ${exposure.path}`]
  if (made !== undefined) lines.unshift(`${made}: a new secret access key`)
  if (isNew) {
    lines.push('add to the credentials of the exposure, and run trefoil reload before AWS uses it:')
    lines.push(`  - { accessKeyId: ${accessKeyId}, secret: { file: ${credential.secret.file} } }`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}
