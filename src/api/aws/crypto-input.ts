/** Members that the cryptographic operations share. */
import type { Algorithm } from '../../core/algorithm.ts'
import type { EncryptionContext } from '../../core/envelope.ts'
import { NO_CONTEXT } from '../../core/envelope.ts'
import type { AlgorithmChoice } from '../../core/operation.ts'
import { unsupported, validationError } from './aws-error.ts'
import type {
  EncapsulationAlgorithmSpec,
  EncryptionAlgorithmSpec,
  KeyAgreementAlgorithmSpec,
  MacAlgorithmSpec,
} from './gen/types.ts'
import { coreAlgorithm } from './names.ts'

/** @throws AwsError for an algorithm of AWS's that is not there */
export function encryptionAlgorithm(wire: EncryptionAlgorithmSpec | undefined): AlgorithmChoice {
  if (wire === undefined || wire === 'SYMMETRIC_DEFAULT') return 'envelope'
  const algorithm: Algorithm | undefined = coreAlgorithm(wire)
  if (algorithm === undefined) throw unsupported(`EncryptionAlgorithm ${wire} is not supported.`)
  return algorithm
}

/** @throws AwsError for an algorithm of AWS's that is not there */
export function macAlgorithm(wire: MacAlgorithmSpec): Algorithm {
  const algorithm = coreAlgorithm(wire)
  if (algorithm === undefined) throw unsupported(`MacAlgorithm ${wire} is not supported.`)
  return algorithm
}

/** @throws AwsError for an algorithm of AWS's that is not there */
export function keyAgreementAlgorithm(wire: KeyAgreementAlgorithmSpec): Algorithm {
  const algorithm = coreAlgorithm(wire)
  if (algorithm === undefined) throw unsupported(`KeyAgreementAlgorithm ${wire} is not supported.`)
  return algorithm
}

/** @throws AwsError for an algorithm of AWS's that is not there */
export function encapsulationAlgorithm(wire: EncapsulationAlgorithmSpec): Algorithm {
  const algorithm = coreAlgorithm(wire)
  if (algorithm === undefined) throw unsupported(`EncapsulationAlgorithm ${wire} is not supported.`)
  return algorithm
}

/** AWS's limit. It bounds what conditions and constraints have to look at, too. */
const MAX_CONTEXT_BYTES = 8192

/** AWS binds a context to symmetric encryption only, and refuses it elsewhere. @throws AwsError */
export function encryptionContext(
  entries: Readonly<Record<string, string>> | undefined,
  algorithm: AlgorithmChoice,
): EncryptionContext {
  if (entries === undefined || Object.keys(entries).length === 0) return NO_CONTEXT
  if (algorithm !== 'envelope')
    throw validationError('EncryptionContext is only supported for symmetric encryption keys.')
  const size = Buffer.byteLength(Object.entries(entries).flat().join(''))
  if (size > MAX_CONTEXT_BYTES) throw validationError(`EncryptionContext is larger than ${MAX_CONTEXT_BYTES} bytes.`)
  return { kind: 'map', entries }
}
