/** Builds test/support/pkcs11-shim.c and puts it in front of a SoftHSM token. */
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeSoftHsm, type SoftHsm } from './softhsm.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

async function compilerMissing(): Promise<string | undefined> {
  try {
    await run('cc', ['--version'])
    return undefined
  } catch {
    return 'missing: a C compiler'
  }
}

/** Why tests with the shim can't run here. */
export const shimMissing = await compilerMissing()

export type Control =
  | 'hang'
  | 'slow'
  | 'sign'
  | 'fail'
  | 'crash'
  | 'crash-made'
  | 'invalidate'
  | 'sessions'
  | 'extractable'
  | 'no-raw-rsa'
  | 'forgets-pin'
  | 'no-pin'
  | 'one-purpose'

export type ShimmedHsm = SoftHsm & {
  /** Sets a control file; see pkcs11-shim.c for what each does. */
  set(control: Control, value?: string): Promise<void>
  unset(control: Control): Promise<void>
  /** How often C_Login was called so far. */
  logins(): Promise<number>
  /** How often C_Sign began while another was under way, while it was `slow`. */
  overlaps(): Promise<number>
}

export async function makeShimmedHsm(): Promise<ShimmedHsm> {
  const hsm = await makeSoftHsm()
  const library = join(hsm.directory, 'shim.so')
  const headers = join(ROOT, 'node_modules/pkcs11js/includes/pkcs11')
  await run('cc', [
    '-shared',
    '-fPIC',
    `-I${headers}`,
    '-o',
    library,
    join(import.meta.dirname, 'pkcs11-shim.c'),
    '-ldl',
  ])
  const path = (name: string) => join(hsm.directory, name)
  const count = async (name: string) => (await readFile(path(name)).catch(() => Buffer.alloc(0))).length
  return {
    ...hsm,
    library,
    env: { ...hsm.env, P11_SHIM_MODULE: hsm.library, P11_SHIM_DIR: hsm.directory },
    set: (control, value = '') => writeFile(path(control), value),
    unset: (control) => rm(path(control), { force: true }),
    logins: () => count('logins'),
    overlaps: () => count('overlaps'),
  }
}
