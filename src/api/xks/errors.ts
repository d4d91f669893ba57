/** The errors of the XKS proxy API (specification v1.0.3, "Error codes"), and what the core's are among them. */
import { type ErrorCode, KmsError } from '../../core/error.ts'
import { SignatureFault } from '../sigv4/fault.ts'
import type { Rendered } from '../surface.ts'

const STATUS = {
  ValidationException: 400,
  InvalidStateException: 400,
  InvalidCiphertextException: 400,
  InvalidKeyUsageException: 400,
  AuthenticationFailedException: 401,
  AccessDeniedException: 403,
  KeyNotFoundException: 404,
  InvalidUriPathException: 404,
  ThrottlingException: 429,
  InternalException: 500,
  UnsupportedOperationException: 501,
  DependencyTimeoutException: 503,
} as const
export type XksErrorName = keyof typeof STATUS
export const XKS_ERRORS: Readonly<Record<XksErrorName, number>> = STATUS

const MESSAGES: Readonly<Record<XksErrorName, string>> = {
  ValidationException: 'The request was rejected because one or more input parameters is invalid.',
  InvalidStateException:
    'The request was rejected because the specified external key is disabled, deactivated or blocked.',
  InvalidCiphertextException:
    'The request was rejected because the specified ciphertext, initialization vector, additional authenticated data or authentication tag is corrupted, missing, or otherwise invalid.',
  InvalidKeyUsageException:
    'The request was rejected because the specified key does not support the requested operation.',
  AuthenticationFailedException: 'The request was rejected due to an invalid AWS SigV4 signature.',
  AccessDeniedException: 'The request was rejected because the operation is not authorized based on request metadata.',
  KeyNotFoundException: 'The request was rejected because the specified external key is not found.',
  InvalidUriPathException: 'The request was rejected because the specified URI path is not valid.',
  ThrottlingException: 'The request was rejected because the request rate is too high.',
  InternalException: 'The key manager could not carry out the request.',
  UnsupportedOperationException:
    'The request was rejected because the operation is not implemented, or a parameter is larger than is supported.',
  DependencyTimeoutException: 'The key manager did not answer in time.',
}

/** What can't come of an external caller's request is a fault of ours. */
const NAMES: Readonly<Record<ErrorCode, XksErrorName>> = {
  invalid_argument: 'ValidationException',
  malformed_reference: 'ValidationException',
  payload_too_large: 'UnsupportedOperationException',
  plaintext_too_large: 'UnsupportedOperationException',
  digest_length: 'ValidationException',
  checksum_mismatch: 'ValidationException',
  unknown_operation: 'InvalidUriPathException',
  unimplemented: 'UnsupportedOperationException',
  realm_not_found: 'KeyNotFoundException',
  ring_not_found: 'KeyNotFoundException',
  key_not_found: 'KeyNotFoundException',
  // A ciphertext names its version.
  version_not_found: 'InvalidCiphertextException',
  replica_not_found: 'KeyNotFoundException',
  material_not_found: 'InvalidStateException',
  alias_not_found: 'KeyNotFoundException',
  deletion_not_found: 'KeyNotFoundException',
  grant_not_found: 'InternalException',
  ring_exists: 'InternalException',
  key_exists: 'InternalException',
  key_deleted: 'InvalidStateException',
  alias_exists: 'InternalException',
  secret_not_found: 'InternalException',
  secret_exists: 'InternalException',
  secret_deleted: 'InternalException',
  secret_not_deleted: 'InternalException',
  name_reserved: 'InternalException',
  key_disabled: 'InvalidStateException',
  key_pending_deletion: 'InvalidStateException',
  key_not_pending_deletion: 'InvalidStateException',
  purge_protected: 'InvalidStateException',
  key_unavailable: 'InvalidStateException',
  key_pending_import: 'InvalidStateException',
  key_not_yet_valid: 'InvalidStateException',
  key_expired: 'InvalidStateException',
  version_disabled: 'InvalidStateException',
  version_state: 'InvalidStateException',
  version_destroyed: 'InvalidStateException',
  version_imported: 'InvalidStateException',
  key_has_versions: 'InternalException',
  material_pending: 'InvalidStateException',
  material_not_pending: 'InvalidStateException',
  secret_disabled: 'InternalException',
  key_store_not_found: 'InvalidStateException',
  key_store_exists: 'InternalException',
  key_store_state: 'InvalidStateException',
  key_store_has_keys: 'InternalException',
  key_store_disconnected: 'InvalidStateException',
  key_store_refused: 'InternalException',
  external_manager: 'InternalException',
  not_primary: 'InvalidStateException',
  usage_mismatch: 'InvalidKeyUsageException',
  unsupported_operation: 'InvalidKeyUsageException',
  algorithm_mismatch: 'InvalidKeyUsageException',
  unsupported_algorithm: 'InvalidKeyUsageException',
  unsupported_spec: 'InvalidKeyUsageException',
  invalid_ciphertext: 'InvalidCiphertextException',
  incorrect_key: 'InvalidCiphertextException',
  invalid_signature: 'InternalException',
  invalid_backup: 'InternalException',
  material_mismatch: 'InternalException',
  import_token_invalid: 'InternalException',
  import_token_expired: 'InternalException',
  unauthenticated: 'AuthenticationFailedException',
  access_denied: 'AccessDeniedException',
  // Of messages: the version can make no more.
  limit_exceeded: 'InvalidStateException',
  throttled: 'ThrottlingException',
  conflict: 'ThrottlingException',
  backend_unavailable: 'InternalException',
  backend_timeout: 'DependencyTimeoutException',
  audit_unavailable: 'InternalException',
  store_unavailable: 'InternalException',
  shutting_down: 'DependencyTimeoutException',
  internal: 'InternalException',
}

/** Of the core's codes, those that an external caller can meet. */
export const codesOf = (name: XksErrorName): readonly ErrorCode[] =>
  (Object.keys(NAMES) as ErrorCode[]).filter((code) => NAMES[code] === name && name !== 'InternalException')

/** What only the protocol has a name for. */
export class XksError extends Error {
  override readonly name = 'XksError'
  readonly errorName: XksErrorName
  readonly status: number

  constructor(errorName: XksErrorName, message: string = MESSAGES[errorName], status: number = STATUS[errorName]) {
    super(message)
    this.errorName = errorName
    this.status = status
  }
}

/** The field and what is wrong with it, or the rule: never what was sent. */
function detailOf({ code, params }: KmsError): string {
  if (code === 'invalid_argument') return ` ${params.field} ${params.reason}.`
  return code === 'access_denied' && params.message !== undefined ? ` ${params.message}.` : ''
}

export function asXksError(error: unknown): XksError {
  if (error instanceof XksError) return error
  if (error instanceof SignatureFault) return new XksError('AuthenticationFailedException', error.message)
  const known = KmsError.from(error)
  const name = NAMES[known.code]
  return new XksError(name, MESSAGES[name] + detailOf(known))
}

/** Less than 512 characters, from space to tilde. */
const printable = (text: string): string => text.replace(/[^ -~]/g, '?').slice(0, 511)

export function renderError(error: unknown): Rendered {
  const { errorName, message, status } = asXksError(error)
  return {
    status,
    headers: { 'content-type': 'application/json', ...(status === 405 && { allow: 'POST' }) },
    // Bytes: to a text's content type Fastify adds a charset.
    body: Buffer.from(JSON.stringify({ errorName, errorMessage: printable(message) })),
  }
}
