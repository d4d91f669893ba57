/** The three sources of errors meet here: the core's own, Fastify's, and everything else. */
import { KmsError } from '../../core/error.ts'

type FrameworkError = { readonly code: string; readonly statusCode?: number }

const isFrameworkError = (error: unknown): error is FrameworkError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_ERR_')

/** Fastify's codes that say more than "bad request". */
const FRAMEWORK: Readonly<Record<string, (limit: number) => KmsError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: (limit) => new KmsError('payload_too_large', { limit }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new KmsError('invalid_argument', { field: 'content-type', reason: 'not supported' }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new KmsError('invalid_argument', { field: 'content-length', reason: 'not the length of the body' }),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => new KmsError('invalid_argument', { field: 'body', reason: 'empty' }),
  FST_ERR_BAD_URL: () => new KmsError('invalid_argument', { field: 'url', reason: 'not a valid path' }),
  FST_ERR_MAX_PARAM_LENGTH: () => new KmsError('invalid_argument', { field: 'url', reason: 'too long' }),
  FST_ERR_HANDLER_TIMEOUT: () => new KmsError('backend_timeout'),
}

/**
 * What a dialect's error handler renders, whatever was thrown.
 * @param bodyLimit bytes, for the message of a body that is too large
 */
export function toKmsError(error: unknown, bodyLimit: number): KmsError {
  if (error instanceof KmsError || !isFrameworkError(error)) return KmsError.from(error)
  const known = FRAMEWORK[error.code]
  if (known !== undefined) return known(bodyLimit)
  const status = error.statusCode ?? 500
  if (status >= 500) return KmsError.from(error)
  return new KmsError('invalid_argument', { field: 'request', reason: 'malformed' })
}
