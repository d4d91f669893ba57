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

/** @throws AwsError for a message type that the algorithm does not have */
export function signInput(wire: Message, algorithm: Algorithm): SignInput {
  const type = wire.MessageType ?? 'RAW'
  if (type === 'RAW') return { message: wire.Message }
  const row = algorithmRow(algorithm)
  const hashes = row.op === 'sign' && 'hash' in row
  if (type === 'DIGEST' && hashes) return { digest: wire.Message }
  if (type === 'EXTERNAL_MU' && algorithm === 'ml_dsa_mu') return { mu: wire.Message }
  throw validationError(`MessageType ${type} is not compatible with SigningAlgorithm ${wire.SigningAlgorithm}.`)
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
