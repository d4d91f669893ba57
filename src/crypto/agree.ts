/** ECDH and X25519: the shared secret as it comes out of the agreement. */
import { diffieHellman, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeySpecRow } from '../core/algorithm.ts'
import { invalidArgument } from '../core/error.ts'
import { peerKey } from '../core/public-key.ts'

const agreeAsync = promisify(diffieHellman)

/** @throws KmsError invalid_argument (publicKey) for a key of another curve, none at all, or one of low order */
export async function agree(row: KeySpecRow, privateKey: KeyObject, peer: Uint8Array): Promise<Uint8Array> {
  const publicKey = peerKey(row, peer)
  try {
    return await agreeAsync({ privateKey, publicKey })
  } catch {
    throw invalidArgument('publicKey', 'no secret can be agreed on with this public key')
  }
}
