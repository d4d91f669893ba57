/** Key encapsulation: public-key work, done once here for every backend. */
import { diffieHellman, encapsulate as encapsulateTo, generateKeyPairSync } from 'node:crypto'
import { type Algorithm, algorithmRow, type KeySpec, specHas, specRow } from './algorithm.ts'
import { KmsError } from './error.ts'
import { publicKeyOf } from './public-key.ts'
import * as xWing from './x-wing.ts'

export type Encapsulation = { readonly secret: Uint8Array; readonly ciphertext: Uint8Array }

/** @throws KmsError unsupported_algorithm */
export function encapsulate(spki: Uint8Array, spec: KeySpec, algorithm: Algorithm): Encapsulation {
  if (algorithmRow(algorithm).op !== 'decapsulate' || !specHas(spec, algorithm)) {
    throw new KmsError('unsupported_algorithm', { algorithm, spec })
  }
  if (specRow(spec).type === 'x-wing') return encapsulateXWing(spki)
  const { sharedKey, ciphertext } = encapsulateTo(publicKeyOf(spki, spec))
  return { secret: sharedKey, ciphertext }
}

function encapsulateXWing(spki: Uint8Array): Encapsulation {
  const publicKey = xWing.decodeSpki(spki)
  if (publicKey === undefined) throw new KmsError('internal')
  const { mlKem, x25519 } = xWing.parsePublic(publicKey)
  const { sharedKey, ciphertext } = encapsulateTo(mlKem)
  const ephemeral = generateKeyPairSync('x25519')
  const agreed = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: x25519 })
  const shown = xWing.rawPublic(ephemeral.publicKey)
  try {
    const secret = xWing.combine(sharedKey, agreed, shown, xWing.rawPublic(x25519))
    return { secret, ciphertext: Buffer.concat([ciphertext, shown]) }
  } finally {
    sharedKey.fill(0)
    agreed.fill(0)
  }
}
