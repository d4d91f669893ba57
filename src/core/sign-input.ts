/** What both sides of a signature, backend and verifier, ask of the input. */
import { type Algorithm, HASH_BYTES, type Hash } from './algorithm.ts'
import { invalidArgument, KmsError } from './error.ts'
import type { SignInput } from './ports.ts'

/** @throws KmsError digest_length */
export function requireDigestLength(algorithm: Algorithm, hash: Hash, digest: Uint8Array): void {
  const expected = HASH_BYTES[hash]
  if (digest.length !== expected) throw new KmsError('digest_length', { algorithm, expected, actual: digest.length })
}

/**
 * For schemes that hash inside and so have no ready digest to sign.
 * @throws KmsError invalid_argument
 */
export function requireMessage(algorithm: Algorithm, input: SignInput): Uint8Array {
  if ('message' in input) return input.message
  throw invalidArgument('digest', `${algorithm} signs messages, not digests`)
}
