/** A SoftHSM token in a directory of its own. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { LIBRARIES } from '../../softhsm/init-token.ts'
import type { HsmConfig } from '../../src/hsm/client.ts'
import { NATIVE } from './native.ts'

const PIN = 'pin'
const library = LIBRARIES.find((path) => existsSync(path))

export type SoftHsm = {
  readonly library: string
  readonly tokenLabel: string
  readonly pin: string
  /** What the library needs to find the token. */
  readonly env: Readonly<Record<string, string>>
  /** Holds the token's files. */
  readonly directory: string
  close(): Promise<void>
}

/** Why these tests can't run here, for `t.test(name, { skip })`; undefined where they can. */
export const softHsmMissing: string | undefined =
  library === undefined ? 'missing: libsofthsm2.so (apt-get install softhsm2)' : undefined

const INIT_TOKEN = fileURLToPath(new URL('../../softhsm/init-token.ts', import.meta.url))

export async function makeSoftHsm(): Promise<SoftHsm> {
  if (library === undefined) throw new Error(softHsmMissing)
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-softhsm-'))
  const tokenLabel = 'trefoil-test'
  // In a process of its own: the module reads its configuration once, and a process can initialise it once.
  const args = [INIT_TOKEN, '--dir', directory, '--label', tokenLabel, '--library', library]
  await promisify(execFile)(process.execPath, args, { env: {} })
  const pin = (await readFile(join(directory, PIN), 'utf8')).trim()
  const env = { SOFTHSM2_CONF: join(directory, 'softhsm2.conf') }
  return { library, tokenLabel, pin, env, directory, close: () => rm(directory, { recursive: true, force: true }) }
}

/** A backend on that token. */
export const backendOn = ({ library, tokenLabel, pin, env }: SoftHsm, changes: Partial<HsmConfig> = {}): HsmConfig => ({
  name: 'test',
  library,
  tokenLabel,
  pin,
  env,
  native: NATIVE,
  sessions: 4,
  deadlineMs: 20_000,
  ...changes,
})

/** A token with the configuration that makes it the server's default backend. */
export async function startSoftHsm() {
  const hsm = await makeSoftHsm()
  const entry = {
    name: 'soft',
    library: hsm.library,
    tokenLabel: hsm.tokenLabel,
    pin: { file: join(hsm.directory, PIN) },
  }
  return { ...hsm, config: { hsm: [entry], defaultBackend: 'pkcs11:soft' } }
}
