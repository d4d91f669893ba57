/** NSS' token, which does ML-DSA by PKCS#11 v3.2: Debian's newer build of it, in a folder of this project. */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { HsmConfig } from '../../src/hsm/client.ts'
import { NATIVE } from './native.ts'

const ROOT = join(import.meta.dirname, '../..')
const LIBRARIES = join(ROOT, '.nss/root/usr/lib')
const PIN = 'pin of the tests'

/** The folder of libsoftokn3.so; fetched here for whoever runs a test without npm. */
function libraryFolder(): string | undefined {
  if (spawnSync('apt-get', ['--version']).status !== 0) return undefined
  execFileSync('sh', [join(ROOT, 'scripts/setup.sh'), '--nss'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const folders = existsSync(LIBRARIES) ? readdirSync(LIBRARIES).map((name) => join(LIBRARIES, name)) : []
  return folders.find((folder) => existsSync(join(folder, 'libsoftokn3.so')))
}

const folder = libraryFolder()

/** Why these tests can't run here. CI takes the second for a failure. */
export const nssMissing: string | undefined =
  spawnSync('apt-get', ['--version']).status !== 0
    ? "no tool: apt-get, which fetches Debian's libnss3"
    : folder === undefined
      ? 'missing: libsoftokn3.so (sh scripts/setup.sh --nss)'
      : undefined

/** Gives the token its PIN: in a process of its own, since a process initialises a module once. */
const INIT = `
  import pkcs11js from 'pkcs11js'
  const [library, libraryParameters, pin] = process.argv.slice(1)
  const lib = new pkcs11js.PKCS11()
  lib.load(library)
  lib.C_Initialize({ flags: 2, libraryParameters })
  const slot = lib.C_GetSlotList(true)[1]
  const session = lib.C_OpenSession(slot, 6)
  lib.C_Login(session, 0, '')
  lib.C_InitPIN(session, pin)
`

export type NssToken = HsmConfig & { readonly directory: string; close(): Promise<void> }

export async function makeNss(): Promise<NssToken> {
  if (folder === undefined) throw new Error(nssMissing)
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-nss-'))
  const library = join(folder, 'libsoftokn3.so')
  // The system's older libnssutil3 must not win.
  const env = { LD_LIBRARY_PATH: folder }
  const libraryParameters = `configdir='sql:${directory}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=optimizeSpace minPS=0 `
  const args = ['--input-type=module', '-e', INIT, library, `${libraryParameters} `, PIN]
  await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, env })
  const close = () => rm(directory, { recursive: true, force: true })
  const common = {
    name: 'nss',
    library,
    libraryParameters,
    env,
    pin: PIN,
    native: NATIVE,
    sessions: 4,
    deadlineMs: 20_000,
  }
  // Slot 1 is for certificates that come over the network, slot 2 for keys.
  return { ...common, slot: 2, directory, close }
}
