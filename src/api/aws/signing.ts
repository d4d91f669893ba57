/** What Sign and Verify share: AWS's message types, and signatures in its encodings. */
import { type Algorithm, algorithmRow, type Hash } from '../../core/algorithm.ts'
import type { SignInput } from '../../core/ports.ts'
import { derToRaw, rawToDer } from '../codec/ecdsa-der.ts'
import { unsupported, validationError } from './aws-error.ts'
import type { MessageType, SigningAlgorithmSpec } from './gen/types.ts'
import { coreAlgorithm } from './names.ts'

/**
 * ML_DSA_SHAKE_256 is two algorithms of the core, told apart by the type of the message.
 * @throws AwsError for an algorithm of AWS's that is not there
 */
export function signingAlgorithm(wire: SigningAlgorithmSpec, type?: MessageType): Algorithm {
  if (wire === 'ML_DSA_SHAKE_256') return type === 'EXTERNAL_MU' ? 'ml_dsa_mu' : 'ml_dsa'
  const algorithm = coreAlgorithm(wire)
  if (algorithm === undefined) throw unsupported(`SigningAlgorithm ${wire} is not supported.`)
  return algorithm
}

type Message = {
  readonly Message: Uint8Array
  readonly MessageType?: MessageType | undefined
  readonly SigningAlgorithm: SigningAlgorithmSpec
}

/** FIPS 204 section 6.2. */
const MU_BYTES = 64

/** Ed25519ph signs digests only and pure Ed25519 messages only; the other algorithms that hash take either. */
function messageTypes(algorithm: Algorithm): readonly MessageType[] {
  if (algorithm === 'ed25519_ph') return ['DIGEST']
  if (algorithm === 'ml_dsa_mu') return ['EXTERNAL_MU']
  const row = algorithmRow(algorithm)
  return row.op === 'sign' && 'hash' in row ? ['RAW', 'DIGEST'] : ['RAW']
}

/** @throws AwsError for a message type that the algorithm does not have */
export function signInput(wire: Message, algorithm: Algorithm): SignInput {
  const type = wire.MessageType ?? 'RAW'
  if (!messageTypes(algorithm).includes(type)) {
    throw validationError(`Message type ${type} is incompatible with algorithm ${wire.SigningAlgorithm}.`)
  }
  switch (type) {
    case 'RAW':
      return { message: wire.Message }
    case 'DIGEST':
      return { digest: wire.Message }
    case 'EXTERNAL_MU':
      if (wire.Message.length === MU_BYTES) return { mu: wire.Message }
      throw validationError(`Digest is invalid length for algorithm ${wire.SigningAlgorithm}.`)
  }
}

/** AWS pairs each ECDSA hash with curves of one field size, bytes. */
const FIELD_BYTES: Readonly<Partial<Record<Hash, number>>> = { sha256: 32, sha384: 48, sha512: 66 }

function fieldBytes(algorithm: Algorithm): number | undefined {
  const row = algorithmRow(algorithm)
  return row.op === 'sign' && row.scheme === 'ecdsa' ? FIELD_BYTES[row.hash] : undefined
}

/** From the core's raw r‖s to DER; other signatures are the same in both. */
export const encodeSignature = (algorithm: Algorithm, signature: Uint8Array): Uint8Array =>
  fieldBytes(algorithm) === undefined ? signature : rawToDer(signature)

/** No signature at all, which verifies under no key, where it is not DER. */
export function decodeSignature(algorithm: Algorithm, signature: Uint8Array): Uint8Array {
  const bytes = fieldBytes(algorithm)
  if (bytes === undefined) return signature
  return derToRaw(signature, bytes) ?? new Uint8Array(0)
}
