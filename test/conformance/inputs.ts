/** What the algorithms are tried with. */
import { createPublicKey, diffieHellman, generateKeyPairSync, hash as hashOf, randomBytes } from 'node:crypto'
import { type Algorithm, algorithmRow, specRow } from '../../src/core/algorithm.ts'
import { encapsulate } from '../../src/core/encapsulate.ts'
import type { CryptoBackend, EncryptParams, SignInput } from '../../src/core/ports.ts'
import { callContext, equal, type Made, newParams } from './backend.ts'

/** `message` in every form that the algorithm takes; the first is the message itself, if it takes one. */
export function signInputs(algorithm: Algorithm, message: Uint8Array): readonly SignInput[] {
  const row = algorithmRow(algorithm)
  if (row.scheme === 'ml-dsa-mu') return [{ mu: hashOf('sha512', message, 'buffer') }]
  return row.op === 'sign' && 'hash' in row
    ? [{ message }, { digest: hashOf(row.hash, message, 'buffer') }]
    : [{ message }]
}

const NOTHING = new Uint8Array()
const NONE: EncryptParams = { nonce: NOTHING, iv: NOTHING, aad: NOTHING }

/** Fresh parameters that the algorithm takes. */
export function paramsFor(algorithm: Algorithm): EncryptParams {
  const row = algorithmRow(algorithm)
  if (row.scheme === 'envelope') return newParams()
  if (row.scheme !== 'aes') return NONE
  return { ...NONE, iv: randomBytes(row.ivBytes), ...(row.mode === 'gcm' && { aad: randomBytes(9) }) }
}

/** Whether both ends of an agreement or an encapsulation come to the same secret; `two` is `one` or its twin. */
export async function sharesSecret(
  backend: CryptoBackend,
  one: Made,
  two: Made,
  algorithm: Algorithm,
): Promise<boolean> {
  const { spec } = one.handle
  const spki = one.spki ?? new Uint8Array()
  if (algorithmRow(algorithm).op === 'decapsulate') {
    const { secret, ciphertext } = encapsulate(spki, spec, algorithm)
    return equal(secret, await backend.decapsulate(two.handle, algorithm, ciphertext, callContext()))
  }
  const row = specRow(spec)
  const peer = row.type === 'ec' ? generateKeyPairSync('ec', { namedCurve: row.curve }) : generateKeyPairSync('x25519')
  const theirs = diffieHellman({
    privateKey: peer.privateKey,
    publicKey: createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }),
  })
  const shown = peer.publicKey.export({ format: 'der', type: 'spki' })
  return equal(theirs, await backend.agree(two.handle, algorithm, shown, callContext()))
}
