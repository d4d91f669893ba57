import type { ErrorShape } from './gen/errors.ts'

/** Answered by the service's front, before the operation; the model has no shapes for them. */
type CommonError =
  | 'AccessDeniedException'
  | 'ExpiredTokenException'
  | 'IncompleteSignatureException'
  | 'InternalFailure'
  | 'InvalidSignatureException'
  | 'MissingAuthenticationTokenException'
  | 'NotAuthorizedException'
  | 'RequestEntityTooLargeException'
  | 'SerializationException'
  | 'ServiceUnavailableException'
  | 'ThrottlingException'
  | 'UnknownOperationException'
  | 'UnrecognizedClientException'
  | 'ValidationException'
export type AwsErrorType = ErrorShape | CommonError

/** A refusal that only this dialect knows: its request grammar, its validation, its policy language. */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  readonly type: AwsErrorType

  constructor(type: AwsErrorType, message = '') {
    super(message)
    this.type = type
  }
}

export const validationError = (message: string): AwsError => new AwsError('ValidationException', message)
export const unsupported = (message = ''): AwsError => new AwsError('UnsupportedOperationException', message)
