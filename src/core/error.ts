/**
 * Every way an operation can fail. Dialects map these to their own names and HTTP numbers, in one table each;
 * nothing below `src/api` knows a status code.
 */
import type { Realm } from './key.ts'

export const ERROR_CODES = [
  // the request
  'invalid_argument', // params: field, reason
  'malformed_reference', // params: reference — a key, ring or version name no dialect grammar accepts
  'payload_too_large', // params: limit (bytes)
  'plaintext_too_large', // params: limit (bytes), algorithm
  'digest_length', // params: algorithm, expected (bytes), actual
  'checksum_mismatch', // params: field
  'unknown_operation', // params: operation — no cloud has it
  'unimplemented', // params: operation — the cloud has it, Trefoil does not
  // what it names
  'realm_not_found', // params: address
  'ring_not_found', // params: reference
  'key_not_found', // params: reference
  'version_not_found', // params: reference
  'replica_not_found', // params: reference — the key has no replica there
  'material_not_found', // params: material — none of the key's has the id
  'alias_not_found', // params: reference
  'deletion_not_found', // params: reference
  'grant_not_found', // params: reference
  'ring_exists', // params: reference
  'key_exists', // params: reference, version
  'key_deleted', // params: reference — the name belongs to a key that waits for its deletion
  'alias_exists', // params: reference
  'secret_not_found', // params: reference
  'secret_exists', // params: reference, version
  'secret_deleted', // params: reference — the name belongs to a secret that waits to be purged
  'secret_not_deleted', // params: reference
  'name_reserved', // params: reference — UUID-shaped, or retired
  // its state
  'key_disabled',
  'key_pending_deletion',
  'key_not_pending_deletion',
  'purge_protected', // what is deleted stays until its days are over
  'key_unavailable', // no usable version
  'key_pending_import',
  'key_not_yet_valid',
  'key_expired',
  'version_disabled', // params: state
  'version_state', // params: state — the version's state does not allow the operation
  'version_destroyed',
  'version_imported', // its material came from outside, which is never deleted for good
  'key_has_versions',
  'material_pending', // params: material, pending — other material waits to become current
  'material_not_pending', // no material waits to become current
  'secret_disabled',
  // custom key stores
  'key_store_not_found', // params: reference
  'key_store_exists', // params: reference
  'key_store_state', // params: state
  'key_store_has_keys',
  'key_store_disconnected', // the key's store
  'key_store_refused', // params: reason (KeyStoreRefusal), reference
  'external_manager', // params: reason (ExternalFailure)
  // what it can do
  'not_primary', // a replica follows its primary; other keys have no replicas
  'usage_mismatch', // params: usage, operation
  'unsupported_operation', // params: spec, usage or origin — keys of its kind don't have the operation
  'algorithm_mismatch', // params: algorithm, spec
  'unsupported_algorithm', // params: algorithm, spec — nothing here can do it, the token included
  'unsupported_spec', // params: spec, backend
  // cryptographic verdicts
  'invalid_ciphertext', // params: reason — `unknown_key` where it names one that is not there
  'incorrect_key',
  'invalid_signature',
  'invalid_backup',
  'material_mismatch', // params: reason — it is not the material that the key wants
  'import_token_invalid',
  'import_token_expired',
  // who asks
  'unauthenticated', // params: reason
  'access_denied', // params: action, and the message where the dialect's policies have words of their own
  // limits and conditions
  'limit_exceeded', // params: limit
  'throttled', // params: retryAfterMs; quota and rate where it is one of the caller's own that is used up
  'conflict',
  'backend_unavailable',
  'backend_timeout',
  'audit_unavailable',
  'store_unavailable',
  'shutting_down',
  'internal',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** Facts a dialect may put into its message. Never a payload, a secret or a cause. */
export type ErrorParams = Readonly<Record<string, string | number>>

/** The key an error is about, as far as the kernel had resolved it. Dialects render their own name of it. */
export type ErrorSubject = {
  readonly realm: Realm
  readonly keyId: string
  /** The id that it shares with the other keys of its set. */
  readonly multiRegionId?: string
  readonly keyName: string
  readonly ringName: string
  readonly version?: number
}

export class KmsError extends Error {
  override readonly name = 'KmsError'
  readonly code: ErrorCode
  readonly params: ErrorParams
  /** Set once by the kernel. */
  subject: ErrorSubject | undefined

  /** `cause` goes to the log only, never to the caller. */
  constructor(code: ErrorCode, params: ErrorParams = {}, options?: { cause?: unknown }) {
    const facts = Object.entries(params).map(([name, value]) => `${name}=${value}`)
    super(facts.length === 0 ? code : `${code} (${facts.join(', ')})`, options)
    this.code = code
    this.params = params
  }

  /** Anything that is not ours becomes `internal`, with a message that says nothing. */
  static from(error: unknown): KmsError {
    return error instanceof KmsError ? error : new KmsError('internal', {}, { cause: error })
  }
}

/** The one error for bad input, with the field named. */
export const invalidArgument = (field: string, reason: string): KmsError =>
  new KmsError('invalid_argument', { field, reason })

/** Why the process can't start, in words for its operator, with the way out. Never reaches a caller. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
