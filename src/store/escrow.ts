/**
 * The only copies of a root key that lives in a token: one for each operator, encrypted to his RSA key by OAEP with
 * SHA-256. Any one of them is enough to bring the root key back. A file of its own, durable before the key is used.
 */
import { constants, createHash, createPublicKey, type KeyObject, publicEncrypt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Problem } from '../core/problem.ts'
import { replaceFile } from './files.ts'

const MIN_BITS = 3072

type Copy = {
  /** SHA-256 of the operator's public key in DER, in hex: `openssl pkey -pubin -outform der | sha256sum`. */
  readonly operator: string
  /** Base64. */
  readonly wrapped: string
}
export type Escrow = {
  readonly format: 1
  readonly copies: readonly Copy[]
  /** A check value under the root key, base64: tells whether the copies are of the key in the token. */
  readonly check: string
}

function readOperator(path: string): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey(readFileSync(path))
  } catch (error) {
    throw new Problem(`${path} holds no public key`, 'give a PEM file: openssl pkey -in key.pem -pubout', {
      cause: error,
    })
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType === 'rsa' && bits >= MIN_BITS) return key
  throw new Problem(
    `${path} is no RSA key of ${MIN_BITS} bits or more, which a root key of 256 bits needs`,
    'make one: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes256 -out key.pem',
  )
}

/** @throws Problem for a file that is not an RSA public key of enough bits */
export const readOperators = (paths: readonly string[]): readonly KeyObject[] => paths.map(readOperator)

function copyFor(operator: KeyObject, rootKey: Uint8Array): Copy {
  const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
  return {
    operator: createHash('sha256')
      .update(operator.export({ format: 'der', type: 'spki' }))
      .digest('hex'),
    wrapped: publicEncrypt({ key: operator, ...padding }, rootKey).toString('base64'),
  }
}

/** Replaces what an attempt that was cut short left there. */
export function writeEscrow(
  path: string,
  operators: readonly KeyObject[],
  rootKey: Uint8Array,
  check: Uint8Array,
): void {
  const escrow: Escrow = {
    format: 1,
    copies: operators.map((operator) => copyFor(operator, rootKey)),
    check: Buffer.from(check).toString('base64'),
  }
  replaceFile(path, Buffer.from(`${JSON.stringify(escrow, null, 2)}\n`))
}

const isCopy = (value: unknown): value is Copy => {
  const { operator, wrapped } = (value ?? {}) as Partial<Copy>
  return typeof operator === 'string' && typeof wrapped === 'string'
}

/** Undefined where there is none. @throws Problem for a file that is none */
export function readEscrow(path: string): Escrow | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Problem(`${path} cannot be read`, 'give its user the right to read it', { cause: error })
  }
  const damaged = new Problem(`${path} is not an escrow of a root key`, 'bring it back from a backup')
  let value: Partial<Escrow>
  try {
    value = JSON.parse(text) ?? {}
  } catch {
    throw damaged
  }
  const { format, copies, check } = value
  if (format !== 1 || typeof check !== 'string' || !Array.isArray(copies) || !copies.every(isCopy)) throw damaged
  return { format, copies, check }
}
