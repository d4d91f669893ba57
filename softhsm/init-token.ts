/**
 * Makes a SoftHSM token for Trefoil, once: softhsm2.conf, tokens/, pin and so-pin in one directory.
 *
 *   node softhsm/init-token.ts --dir /var/lib/trefoil/softhsm [--label trefoil] [--library /path/libsofthsm2.so]
 *
 * The PINs never stand in an argument: a `pin` or `so-pin` file that is there is used, one that is not is made with a random
 * PIN that only its owner can read. Where the token is there already, nothing changes. Prints the settings for the server.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import pkcs11js from 'pkcs11js'

const { CKF_OS_LOCKING_OK, CKF_RW_SESSION, CKF_SERIAL_SESSION, CKU_SO } = pkcs11js
const { CKF_TOKEN_INITIALIZED, CKF_USER_PIN_INITIALIZED } = pkcs11js

/** Where distributions put the library. */
export const LIBRARIES: readonly string[] = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]

const LABEL_BYTES = 32

/** The PIN in `path`, made at random first where there is none. */
function readPin(path: string): string {
  if (!existsSync(path)) writeFileSync(path, `${randomBytes(16).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  const pin = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  if (pin.length < 4 || pin.length > 255) throw new Error(`${path} must hold a PIN of 4 to 255 characters`)
  return pin
}

const slotOf = (module: pkcs11js.PKCS11, label: string): Buffer | undefined =>
  module.C_GetSlotList(true).find((slot) => module.C_GetTokenInfo(slot).label.trim() === label)

const flagsOf = (module: pkcs11js.PKCS11, slot: Buffer): number => module.C_GetTokenInfo(slot).flags

function makeToken(module: pkcs11js.PKCS11, label: string, soPin: string): Buffer {
  const free = module.C_GetSlotList(true).find((slot) => (flagsOf(module, slot) & CKF_TOKEN_INITIALIZED) === 0)
  if (free === undefined) throw new Error('the library offers no slot without a token of its own')
  // Padded here: pkcs11js pads with zeros, PKCS#11 wants blanks.
  module.C_InitToken(free, soPin, label.padEnd(LABEL_BYTES))
  const slot = slotOf(module, label)
  if (slot === undefined) throw new Error(`the token ${label} was made and is not there`)
  return slot
}

function setPin(module: pkcs11js.PKCS11, slot: Buffer, pin: string, soPin: string): void {
  const session = module.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
  module.C_Login(session, CKU_SO, soPin)
  module.C_InitPIN(session, pin)
  module.C_Logout(session)
  module.C_CloseSession(session)
}

function prepare(directory: string): string {
  const tokens = join(directory, 'tokens')
  mkdirSync(tokens, { recursive: true, mode: 0o700 })
  const config = join(directory, 'softhsm2.conf')
  const template = readFileSync(new URL('softhsm2.conf', import.meta.url), 'utf8')
  writeFileSync(
    config,
    template.replace('@TOKENS@', () => tokens),
  )
  return config
}

function main(): void {
  const { values } = parseArgs({
    options: { dir: { type: 'string' }, label: { type: 'string' }, library: { type: 'string' } },
  })
  const { dir, label = 'trefoil', library = LIBRARIES.find((path) => existsSync(path)) } = values
  if (dir === undefined) throw new Error('--dir DIRECTORY is missing: where the token is to live')
  if (library === undefined) throw new Error('libsofthsm2.so was not found: install softhsm2, or give --library')
  if (!/^[\x21-\x7e]{1,32}$/.test(label)) throw new Error('--label takes 1 to 32 printable characters without blanks')
  const directory = resolve(dir)
  const config = prepare(directory)
  const pinFile = join(directory, 'pin')
  const [pin, soPin] = [readPin(pinFile), readPin(join(directory, 'so-pin'))]

  process.env.SOFTHSM2_CONF = config
  const module = new pkcs11js.PKCS11()
  module.load(library)
  module.C_Initialize({ flags: CKF_OS_LOCKING_OK })
  try {
    const slot = slotOf(module, label) ?? makeToken(module, label, soPin)
    // Not set either where an earlier run was interrupted.
    if ((flagsOf(module, slot) & CKF_USER_PIN_INITIALIZED) === 0) setPin(module, slot, pin, soPin)
  } finally {
    module.C_Finalize()
  }
  const hsm = [{ name: label, library, tokenLabel: label, pin: { file: pinFile } }]
  process.stdout.write(`SOFTHSM2_CONF='${config}'\nTREFOIL_HSM='${JSON.stringify(hsm)}'\n`)
}

if (import.meta.main) {
  try {
    main()
  } catch (error) {
    process.stderr.write(`init-token: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
