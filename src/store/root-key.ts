/**
 * The root key of an installation without an HSM: 32 random bytes in a private file (dev), or derived from a passphrase
 * by scrypt (production), whose salt and cost lie in a file that is no secret.
 */
import { createSecretKey, type KeyObject, randomBytes, scrypt } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { Problem } from '../core/problem.ts'
import type { Secret } from '../core/secret.ts'
import { createFile } from './files.ts'

export type RootKeyOptions = {
  /** The data directory has a store already: its keys are under some root key, so none may be made now. */
  readonly storeExists: boolean
}

const KEY_BYTES = 32
const SALT_BYTES = 32
const MIN_PASSPHRASE_BYTES = 12
/** 128 MiB and about half a second. */
const COST = { N: 2 ** 17, r: 8, p: 1 } as const
const MAX_LOG_N = 22
const MODE_MASK = 0o077

/** Undefined when it does not exist. @throws Problem when it is there and can't be used */
function readFile(path: string, secret: boolean): Buffer | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Problem(`${path} cannot be read`, 'give its user the right to read it', { cause: error })
  }
  try {
    if (secret && process.platform !== 'win32' && (fstatSync(fd).mode & MODE_MASK) !== 0) {
      throw new Problem(`other users may read the root key in ${path}`, `chmod 600 ${path}`)
    }
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

function refuseNew(path: string, options: RootKeyOptions): void {
  if (!options.storeExists) return
  throw new Problem(
    `${path} is missing, and the data directory has keys that open only with it`,
    'bring that file back from a backup, or start with an empty data directory',
  )
}

/** The file's key; a new one where there is neither file nor store. @throws Problem */
export function fileRootKey(path: string, options: RootKeyOptions): KeyObject {
  let bytes = readFile(path, true)
  if (bytes === undefined) {
    refuseNew(path, options)
    const fresh = randomBytes(KEY_BYTES)
    createFile(path, fresh)
    fresh.fill(0)
    bytes = readFile(path, true)
  }
  if (bytes === undefined || bytes.length !== KEY_BYTES) {
    throw new Problem(
      `${path} is not a root key: it has ${bytes?.length ?? 0} bytes instead of ${KEY_BYTES}`,
      'bring it back from a backup',
    )
  }
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

type Parameters = { readonly N: number; readonly r: number; readonly p: number; readonly salt: Buffer }

/** Weaker parameters than ours mean that someone changed the file: the passphrase must not be tried on them. */
function parseParameters(path: string, bytes: Buffer): Parameters {
  const damaged = new Problem(`${path} does not hold the parameters of a passphrase`, 'bring it back from a backup')
  let value: { kdf?: unknown; N?: unknown; r?: unknown; p?: unknown; salt?: unknown }
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw damaged
  }
  const { kdf, N, r, p, salt } = value ?? {}
  const bounded = typeof N === 'number' && N >= COST.N && N <= 2 ** MAX_LOG_N && Number.isInteger(Math.log2(N))
  if (kdf !== 'scrypt' || !bounded || r !== COST.r || p !== COST.p || typeof salt !== 'string') throw damaged
  const decoded = Buffer.from(salt, 'base64')
  if (decoded.length !== SALT_BYTES) throw damaged
  return { N, r, p, salt: decoded }
}

function derive(passphrase: Secret, { N, r, p, salt }: Parameters): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    passphrase.use((bytes) => {
      scrypt(bytes, salt, KEY_BYTES, { N, r, p, maxmem: 256 * N * r }, (error, key) => {
        if (error !== null) return reject(error)
        resolve(createSecretKey(key))
        key.fill(0)
      })
    })
  })
}

function requireLong(passphrase: Secret): void {
  if (passphrase.length < MIN_PASSPHRASE_BYTES) {
    throw new Problem(
      `the passphrase has fewer than ${MIN_PASSPHRASE_BYTES} bytes`,
      'take a longer one, best six random words or more',
    )
  }
}

/**
 * Derives the root key from the passphrase; salt and cost are made where there is neither file nor store. A wrong
 * passphrase gives a wrong key, which the store's check value tells. Wipes the passphrase.
 * @throws Problem
 */
export async function passphraseRootKey(path: string, passphrase: Secret, options: RootKeyOptions): Promise<KeyObject> {
  try {
    if (!options.storeExists) requireLong(passphrase)
    let bytes = readFile(path, false)
    if (bytes === undefined) {
      refuseNew(path, options)
      const fresh = { kdf: 'scrypt', ...COST, salt: randomBytes(SALT_BYTES).toString('base64') }
      createFile(path, Buffer.from(`${JSON.stringify(fresh)}\n`))
      bytes = readFile(path, false)
    }
    return await derive(passphrase, parseParameters(path, bytes ?? Buffer.alloc(0)))
  } finally {
    passphrase.wipe()
  }
}
