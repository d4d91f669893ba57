/** Decapsulation. Ciphertexts of the right length never fail: what is wrong with them shows in another secret. */
import { decapsulate as decapsulateFrom, diffieHellman, type KeyObject } from 'node:crypto'
import type { KeySpecRow } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import * as xWing from '../core/x-wing.ts'

export type KemSpecRow = Extract<KeySpecRow, { type: 'ml-kem' | 'x-wing' }>

/** `key` is the private key, or X-Wing's seed. */
export function decapsulate(row: KemSpecRow, key: KeyObject, ciphertext: Uint8Array): Uint8Array {
  if (ciphertext.length !== row.ciphertextBytes) throw new KmsError('invalid_ciphertext')
  return row.type === 'ml-kem' ? decapsulateFrom(key, ciphertext) : decapsulateXWing(key, ciphertext)
}

function decapsulateXWing(key: KeyObject, ciphertext: Uint8Array): Uint8Array {
  const seed = key.export()
  const { mlKem, x25519 } = xWing.expand(seed)
  seed.fill(0)
  const parts = xWing.splitCiphertext(ciphertext)
  const shared = decapsulateFrom(mlKem, parts.mlKem)
  const agreed = agreeX25519(x25519, parts.x25519)
  try {
    return xWing.combine(shared, agreed, parts.x25519, xWing.rawPublic(x25519))
  } finally {
    shared.fill(0)
    agreed.fill(0)
  }
}

/** OpenSSL refuses a point of low order, with which every key agrees on zeros; X-Wing does without that check. */
function agreeX25519(privateKey: KeyObject, point: Uint8Array): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey: xWing.parseX25519(point) })
  } catch {
    return Buffer.alloc(32)
  }
}
