/** Whether the public half that a PKCS#8 file claims is the private one's: what counts is what the token does with it. */
import { createPublicKey, randomBytes } from 'node:crypto'
import { type Algorithm, algorithmRow, purposeOfAlgorithm } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import { verify } from '../core/verify.ts'
import type { Handle } from './objects.ts'
import type { Operations } from './operations.ts'
import { agreesRightly } from './profile.ts'
import type { NewKey, Profile } from './protocol.ts'
import { encryptRsa } from './rsa-encryption.ts'
import { CiphertextRefused, type Session } from './token.ts'

const CHALLENGE_BYTES = 32
const NOTHING = new Uint8Array(0)
const NO_PARAMS = { nonce: NOTHING, iv: NOTHING, aad: NOTHING }

type Imported = { readonly handle: Handle; readonly spki: Uint8Array }

/** @throws KmsError unsupported_spec where the token can do nothing with such a key that would show it */
export async function isPair(
  session: Session,
  operations: Operations,
  profile: Profile,
  key: NewKey,
  imported: Imported,
): Promise<boolean> {
  const { spec, purposes } = key
  const usable = (profile.algorithms[spec] ?? []).filter((name) => purposes.includes(purposeOfAlgorithm(name)))
  const signature = usable.find((name) => algorithmRow(name).op === 'sign')
  if (signature !== undefined) return signs(session, operations, key, imported, signature)
  const encryption = usable.find((name) => algorithmRow(name).op === 'encrypt')
  if (encryption !== undefined) return decrypts(session, operations, key, imported, encryption)
  if (usable.includes('ecdh')) return agreesRightly(session, imported.handle, spec, imported.spki)
  throw new KmsError('unsupported_spec', { spec })
}

async function signs(
  session: Session,
  operations: Operations,
  { spec }: NewKey,
  { handle, spki }: Imported,
  algorithm: Algorithm,
): Promise<boolean> {
  const input = { message: randomBytes(CHALLENGE_BYTES) }
  return verify(spki, spec, algorithm, input, await operations.sign(session, handle, spec, algorithm, input))
}

async function decrypts(
  session: Session,
  operations: Operations,
  { spec }: NewKey,
  { handle, spki }: Imported,
  algorithm: Algorithm,
): Promise<boolean> {
  const row = algorithmRow(algorithm)
  if (row.scheme !== 'rsa-oaep' && !(row.scheme === 'rsa-pkcs1' && row.op === 'encrypt')) throw new KmsError('internal')
  const text = randomBytes(CHALLENGE_BYTES)
  const sealed = encryptRsa(row, createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }), text)
  try {
    const opened = await operations.decrypt(session, handle, spec, algorithm, sealed, NO_PARAMS)
    return Buffer.compare(opened, text) === 0
  } catch (error) {
    if (error instanceof CiphertextRefused || (error instanceof KmsError && error.code === 'invalid_ciphertext'))
      return false
    throw error
  }
}
