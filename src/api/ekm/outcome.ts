/**
 * What a failure is to a cloud that calls out. It acts on the kind: what is denied it may give up for good, what is
 * transient it asks again. Each protocol has its own number for each kind.
 */
import type { ErrorCode, KmsError } from '../../core/error.ts'
import type { Rendered } from '../surface.ts'

export type Outcome =
  /** The request itself. */
  | 'invalid'
  | 'too_large'
  /** Every failure to open what was wrapped, whatever its cause. */
  | 'ciphertext'
  | 'unauthenticated'
  | 'denied'
  | 'not_found'
  | 'exists'
  /** The key is there, and may not be used as it is. */
  | 'state'
  | 'unsupported'
  | 'throttled'
  | 'late'
  | 'transient'
  | 'internal'

const each = <C extends ErrorCode>(outcome: Outcome, codes: readonly C[]) =>
  Object.fromEntries(codes.map((code) => [code, outcome])) as Record<C, Outcome>

export const OUTCOMES = {
  ...each('invalid', [
    'invalid_argument',
    'malformed_reference',
    'digest_length',
    'checksum_mismatch',
    'invalid_signature',
    'invalid_backup',
    'material_mismatch',
    'import_token_invalid',
    'import_token_expired',
    'key_store_refused',
  ]),
  ...each('too_large', ['payload_too_large', 'plaintext_too_large']),
  ...each('ciphertext', ['invalid_ciphertext', 'incorrect_key']),
  ...each('unauthenticated', ['unauthenticated']),
  ...each('denied', ['access_denied']),
  ...each('not_found', [
    'realm_not_found',
    'ring_not_found',
    'key_not_found',
    'version_not_found',
    'replica_not_found',
    'material_not_found',
    'alias_not_found',
    'deletion_not_found',
    'grant_not_found',
    'secret_not_found',
    'key_store_not_found',
    'unknown_operation',
  ]),
  ...each('exists', [
    'ring_exists',
    'key_exists',
    'key_deleted',
    'alias_exists',
    'secret_exists',
    'secret_deleted',
    'key_store_exists',
    'name_reserved',
  ]),
  ...each('state', [
    'secret_not_deleted',
    'key_disabled',
    'key_pending_deletion',
    'key_not_pending_deletion',
    'purge_protected',
    'key_unavailable',
    'key_pending_import',
    'key_not_yet_valid',
    'key_expired',
    'version_disabled',
    'version_state',
    'version_destroyed',
    'version_imported',
    'key_has_versions',
    'material_pending',
    'material_not_pending',
    'secret_disabled',
    'key_store_state',
    'key_store_has_keys',
    'not_primary',
    'usage_mismatch',
    'unsupported_operation',
    'algorithm_mismatch',
    'unsupported_algorithm',
    'unsupported_spec',
  ]),
  ...each('unsupported', ['unimplemented']),
  ...each('throttled', ['throttled', 'limit_exceeded']),
  ...each('late', ['backend_timeout']),
  ...each('transient', [
    'conflict',
    'backend_unavailable',
    'audit_unavailable',
    'store_unavailable',
    'shutting_down',
    'key_store_disconnected',
    'external_manager',
  ]),
  ...each('internal', ['internal']),
} as const satisfies Record<ErrorCode, Outcome>

/** Where a quota is used up, the time until there is something of it again (RFC 9110 section 10.2.3). */
export function withRetryAfter(rendered: Rendered, { params }: KmsError): Rendered {
  const { retryAfterMs } = params
  if (typeof retryAfterMs !== 'number') return rendered
  return { ...rendered, headers: { ...rendered.headers, 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } }
}
