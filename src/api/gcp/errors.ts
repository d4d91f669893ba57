/** The core's errors in Google's terms: one table, and what its rows become in REST and in gRPC. */
import {
  create,
  type DescMessage,
  type JsonObject,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { type ErrorCode, type ErrorParams, type ErrorSubject, KmsError } from '../../core/error.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from './gen/google/rpc/error_details_pb.js'
import { StatusSchema } from './gen/google/rpc/status_pb.js'
import { messageToJson } from './json.ts'
import { nameAt, type ResourceName } from './names.ts'
import { type FieldViolation, RpcError, STATUS, type StatusName } from './status.ts'

export const DOMAIN = 'cloudkms.googleapis.com'

/** What is known of a request when it fails. */
export type ErrorContext = {
  readonly resource?: ResourceName | undefined
  /** IAM's name of what was asked for. */
  readonly permission?: string | undefined
}
type Facts = ErrorContext & { readonly params: ErrorParams; readonly subject: ErrorSubject | undefined }

/** The resource's name down to a level; a word where the request named none. */
const named = ({ resource }: Facts, level: Parameters<typeof nameAt>[1]): string =>
  resource === undefined ? 'the resource' : nameAt(resource, level)

/** Google's names of the planes; an operation's own quota has its own. */
const QUOTA_METRICS: Readonly<Record<string, readonly [metric: string, title: string]>> = {
  data: ['crypto_requests', 'Cryptographic requests'],
  control: ['management_requests', 'Management requests'],
}

const metricOf = (quota: string): readonly [string, string] => QUOTA_METRICS[quota] ?? [quota, `${quota} requests`]

function quotaMetadata({ quota, rate }: ErrorParams): Record<string, string> {
  if (quota === undefined) return {}
  const [metric] = metricOf(String(quota))
  return { service: DOMAIN, quota_metric: `${DOMAIN}/${metric}`, quota_limit_value: String(rate) }
}

/** Where no quota of the caller's is used up, the service as a whole has too much to do. */
function quotaExceeded({ params }: Facts): string {
  if (params.quota === undefined) return 'Too many requests. Try again later.'
  const [, title] = metricOf(String(params.quota))
  return `Quota exceeded for quota metric '${title}' and limit '${title} per second' of service '${DOMAIN}'.`
}

/** The version an operation was about: the one that was named, or the primary that was found. */
function versionNamed(facts: Facts): string {
  const { resource, subject } = facts
  if (resource?.version !== undefined || subject?.version === undefined || resource?.key === undefined) {
    return named(facts, 'version')
  }
  return nameAt({ ...resource, version: subject.version }, 'version')
}

type Row = readonly [
  status: StatusName,
  reason: string | ((params: ErrorParams) => string),
  message: (facts: Facts) => string,
]

const notFound = (kind: string, level: Parameters<typeof nameAt>[1]): Row => [
  'NOT_FOUND',
  'RESOURCE_NOT_FOUND',
  (facts) => `${kind} ${named(facts, level)} not found.`,
]
const notEnabled = (state: (facts: Facts) => string): Row => [
  'FAILED_PRECONDITION',
  'KEY_NOT_ENABLED',
  (facts) => `${versionNamed(facts)} is not enabled, current state is: ${state(facts)}.`,
]
const unavailable = (reason: string, message: string): Row => ['UNAVAILABLE', reason, () => message]
const exists = (kind: string, level: Parameters<typeof nameAt>[1]): Row => [
  'ALREADY_EXISTS',
  'RESOURCE_ALREADY_EXISTS',
  (facts) => `${kind} ${named(facts, level)} already exists.`,
]
const external = (message: string): Row => ['FAILED_PRECONDITION', 'EXTERNAL_KEY_ERROR', () => message]
const noKeyStore: Row = ['UNIMPLEMENTED', 'METHOD_NOT_FOUND', () => 'Method not found.']
const wrongPurpose: Row = [
  'FAILED_PRECONDITION',
  'KEY_PURPOSE_MISMATCH',
  (facts) => `The purpose and algorithm of ${versionNamed(facts)} do not allow the requested operation.`,
]
const undecryptable = (message: string): Row => [
  'INVALID_ARGUMENT',
  'DECRYPTION_FAILED',
  () => `Decryption failed: ${message}`,
]
const stateWord = ({ params }: Facts): string => String(params.state ?? 'unknown').toUpperCase()
const snake = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** google.api.ErrorReason, of what was wrong with a token. */
const TOKEN_REASONS: Readonly<Record<string, string>> = {
  missing: 'CREDENTIALS_MISSING',
  expired: 'ACCESS_TOKEN_EXPIRED',
}

const ERRORS = {
  invalid_argument: [
    'INVALID_ARGUMENT',
    'INVALID_ARGUMENT',
    ({ params }) => `Invalid ${snake(String(params.field))}: ${params.reason}.`,
  ],
  malformed_reference: ['INVALID_ARGUMENT', 'INVALID_RESOURCE_NAME', () => 'The resource name is malformed.'],
  payload_too_large: [
    'INVALID_ARGUMENT',
    'PAYLOAD_TOO_LARGE',
    ({ params }) => `Request payload size exceeds the limit: ${params.limit} bytes.`,
  ],
  plaintext_too_large: [
    'INVALID_ARGUMENT',
    'PLAINTEXT_TOO_LARGE',
    ({ params }) => `The plaintext is longer than the limit of ${params.limit} bytes.`,
  ],
  digest_length: [
    'INVALID_ARGUMENT',
    'INVALID_DIGEST',
    ({ params }) => `The digest is ${params.actual} bytes long; the algorithm requires ${params.expected}.`,
  ],
  // gcloud recognises these words (its command_lib/kms/e2e_integrity.py).
  checksum_mismatch: [
    'INVALID_ARGUMENT',
    'CHECKSUM_MISMATCH',
    ({ params }) => {
      const field = snake(String(params.field))
      return `The checksum in field ${field}_crc32c did not match the data in field ${field}.`
    },
  ],
  unknown_operation: ['NOT_FOUND', 'METHOD_NOT_FOUND', () => 'Method not found.'],
  unimplemented: ['UNIMPLEMENTED', 'NOT_IMPLEMENTED', ({ params }) => `${params.operation} is not implemented.`],
  realm_not_found: notFound('Location', 'location'),
  ring_not_found: notFound('KeyRing', 'ring'),
  key_not_found: notFound('CryptoKey', 'key'),
  version_not_found: notFound('CryptoKeyVersion', 'version'),
  material_not_found: notFound('CryptoKeyVersion', 'version'),
  replica_not_found: notFound('CryptoKey', 'key'),
  alias_not_found: notFound('CryptoKey', 'key'),
  grant_not_found: notFound('CryptoKey', 'key'),
  deletion_not_found: [
    'NOT_FOUND',
    'RESOURCE_NOT_FOUND',
    (facts) => `Operation ${named(facts, 'location')}/operations/${facts.params.reference} not found.`,
  ],
  ring_exists: exists('KeyRing', 'ring'),
  key_exists: exists('CryptoKey', 'key'),
  key_deleted: exists('CryptoKey', 'key'),
  alias_exists: exists('CryptoKey', 'key'),
  // No method of Google's names a secret or a backup.
  secret_not_found: ['NOT_FOUND', 'RESOURCE_NOT_FOUND', () => 'The secret is not found.'],
  secret_exists: ['ALREADY_EXISTS', 'RESOURCE_ALREADY_EXISTS', () => 'The secret already exists.'],
  secret_deleted: ['ALREADY_EXISTS', 'RESOURCE_ALREADY_EXISTS', () => 'The secret waits for its deletion.'],
  secret_not_deleted: ['NOT_FOUND', 'RESOURCE_NOT_FOUND', () => 'The secret is not deleted.'],
  secret_disabled: ['FAILED_PRECONDITION', 'SECRET_DISABLED', () => 'The secret is disabled.'],
  name_reserved: [
    'INVALID_ARGUMENT',
    'NAME_RESERVED',
    (facts) => `The name ${named(facts, 'key')} is reserved and can't be used for a new resource.`,
  ],
  key_disabled: notEnabled(() => 'DISABLED'),
  key_pending_deletion: notEnabled(() => 'DESTROY_SCHEDULED'),
  key_not_pending_deletion: [
    'FAILED_PRECONDITION',
    'KEY_NOT_DESTROY_SCHEDULED',
    (facts) => `${versionNamed(facts)} is not scheduled for destruction.`,
  ],
  purge_protected: [
    'FAILED_PRECONDITION',
    'PURGE_PROTECTED',
    (facts) => `${versionNamed(facts)} is protected from an early deletion.`,
  ],
  key_unavailable: [
    'FAILED_PRECONDITION',
    'NO_PRIMARY_VERSION',
    (facts) => `CryptoKey ${named(facts, 'key')} has no primary version.`,
  ],
  key_pending_import: notEnabled(() => 'PENDING_IMPORT'),
  // Custom key stores are AWS's: none is named here, but a key in one may be.
  key_store_not_found: noKeyStore,
  key_store_exists: noKeyStore,
  key_store_state: noKeyStore,
  key_store_has_keys: noKeyStore,
  key_store_refused: noKeyStore,
  key_store_disconnected: external('The key store that holds the key is not connected.'),
  external_manager: external('The external key manager did not serve the request.'),
  key_not_yet_valid: [
    'FAILED_PRECONDITION',
    'KEY_NOT_YET_VALID',
    (facts) => `${versionNamed(facts)} is not valid yet: the date it may be used from lies ahead.`,
  ],
  key_expired: ['FAILED_PRECONDITION', 'KEY_EXPIRED', (facts) => `${versionNamed(facts)} has expired.`],
  version_disabled: notEnabled(stateWord),
  version_state: [
    'FAILED_PRECONDITION',
    'INVALID_STATE',
    (facts) => `${versionNamed(facts)} is in state ${stateWord(facts)}, which does not allow the requested operation.`,
  ],
  version_destroyed: notEnabled(stateWord),
  version_imported: [
    'FAILED_PRECONDITION',
    'VERSION_IMPORTED',
    (facts) => `${versionNamed(facts)} was imported: successfully imported CryptoKeyVersions cannot be deleted.`,
  ],
  key_has_versions: [
    'FAILED_PRECONDITION',
    'KEY_HAS_VERSIONS',
    (facts) => `CryptoKey ${named(facts, 'key')} has CryptoKeyVersions, which must be deleted first.`,
  ],
  not_primary: [
    'FAILED_PRECONDITION',
    'NOT_PRIMARY',
    (facts) => `CryptoKey ${named(facts, 'key')} follows a key of another location, which is to be changed instead.`,
  ],
  // AWS's import alone has material that waits, and tokens.
  material_pending: notEnabled(stateWord),
  material_not_pending: notEnabled(stateWord),
  usage_mismatch: wrongPurpose,
  unsupported_operation: wrongPurpose,
  algorithm_mismatch: wrongPurpose,
  unsupported_algorithm: [
    'UNIMPLEMENTED',
    'UNSUPPORTED_ALGORITHM',
    () => 'The algorithm is not supported at this protection level.',
  ],
  unsupported_spec: [
    'INVALID_ARGUMENT',
    'UNSUPPORTED_ALGORITHM',
    (facts) => `The protection level and algorithm are not available in ${named(facts, 'location')}.`,
  ],
  invalid_ciphertext: undecryptable('the ciphertext is invalid.'),
  incorrect_key: undecryptable("verify that 'name' refers to the correct CryptoKey."),
  invalid_signature: ['INVALID_ARGUMENT', 'INVALID_SIGNATURE', () => 'The signature is invalid.'],
  material_mismatch: undecryptable('the key material is not the one that was imported.'),
  import_token_invalid: undecryptable('the import token is invalid.'),
  import_token_expired: undecryptable('the import token has expired.'),
  invalid_backup: ['INVALID_ARGUMENT', 'INVALID_BACKUP', () => 'The backup is invalid.'],
  unauthenticated: [
    'UNAUTHENTICATED',
    ({ reason }) => TOKEN_REASONS[String(reason)] ?? 'ACCESS_TOKEN_TYPE_UNSUPPORTED',
    ({ params }) =>
      params.reason === 'missing'
        ? 'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential.'
        : 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
  ],
  access_denied: [
    'PERMISSION_DENIED',
    'IAM_PERMISSION_DENIED',
    (facts) =>
      `Permission '${facts.permission ?? 'cloudkms'}' denied on resource '${named(facts, 'version')}' (or it may not exist).`,
  ],
  limit_exceeded: ['RESOURCE_EXHAUSTED', 'LIMIT_EXCEEDED', () => 'A limit on the number of resources is reached.'],
  throttled: ['RESOURCE_EXHAUSTED', 'RATE_LIMIT_EXCEEDED', quotaExceeded],
  conflict: [
    'ABORTED',
    'CONCURRENT_CHANGE',
    ({ params }) =>
      params.reason === 'policy'
        ? 'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.'
        : 'The resource was changed by another request. Try again.',
  ],
  backend_unavailable: unavailable('KEY_BACKEND_UNAVAILABLE', 'The device that holds the key is unavailable.'),
  backend_timeout: ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', () => 'Deadline exceeded.'],
  audit_unavailable: unavailable('AUDIT_UNAVAILABLE', 'The service is unavailable: requests can not be recorded.'),
  store_unavailable: unavailable('STORAGE_UNAVAILABLE', 'The service is unavailable: storage can not be reached.'),
  shutting_down: unavailable('SHUTTING_DOWN', 'The service is shutting down.'),
  internal: ['INTERNAL', 'INTERNAL', () => 'Internal error encountered.'],
} as const satisfies Record<ErrorCode, Row>

/** Whatever was thrown, as Google says it. What is not ours says nothing about itself. */
export function toRpcError(thrown: unknown, context: ErrorContext = {}): RpcError {
  if (thrown instanceof RpcError) return thrown
  const error = KmsError.from(thrown)
  const [status, reason, message]: Row = ERRORS[error.code]
  const { resource, permission } = context
  const metadata: Record<string, string> = {}
  if (resource !== undefined) metadata.resource = nameAt(resource, 'version')
  if (error.code === 'access_denied' && permission !== undefined) metadata.permission = permission
  if (error.code === 'throttled') Object.assign(metadata, quotaMetadata(error.params))
  const facts = { ...context, params: error.params, subject: error.subject }
  const text = message(facts)
  return new RpcError(status, text, {
    reason: typeof reason === 'string' ? reason : reason(error.params),
    metadata,
    violations: violationsOf(status, text, error),
    preconditions: preconditionsOf(ERRORS[error.code], error.code, text, facts),
    retryDelayMs: error.code === 'throttled' ? Number(error.params.retryAfterMs ?? 1000) : undefined,
    cause: error,
  })
}

/** The field that was wrong, where the core names one; a checksum's is the checksum's own. */
function violationsOf(status: StatusName, description: string, { code, params }: KmsError): readonly FieldViolation[] {
  if (status !== 'INVALID_ARGUMENT' || params.field === undefined) return []
  const field = snake(String(params.field))
  return [{ field: code === 'checksum_mismatch' ? `${field}_crc32c` : field, description }]
}

/** What was in the way: Google's service was seen to say KEY_DISABLED of a disabled version. */
const IN_THE_WAY: Partial<Record<ErrorCode, string>> = {
  key_disabled: 'KEY_DISABLED',
  version_disabled: 'KEY_DISABLED',
  key_pending_deletion: 'KEY_DESTROY_SCHEDULED',
  version_destroyed: 'KEY_DESTROYED',
  key_pending_import: 'KEY_PENDING_IMPORT',
}

function preconditionsOf([status, reason]: Row, code: ErrorCode, description: string, facts: Facts) {
  if (status !== 'FAILED_PRECONDITION') return []
  return [{ type: IN_THE_WAY[code] ?? String(reason), subject: versionNamed(facts), description }]
}

const errorInfoOf = ({ reason = '', metadata }: RpcError): MessageInitShape<typeof ErrorInfoSchema> => ({
  reason,
  domain: DOMAIN,
  metadata: { ...metadata },
})
const badRequestOf = ({ violations }: RpcError): MessageInitShape<typeof BadRequestSchema> => ({
  fieldViolations: violations.map(({ field, description }) => ({ field, description })),
})

const preconditionFailureOf = ({ preconditions }: RpcError): MessageInitShape<typeof PreconditionFailureSchema> => ({
  violations: preconditions.map(({ type, subject, description }) => ({ type, subject, description })),
})

/** An error's details, in the order in which both transports carry them. */
function detailsOf(error: RpcError): readonly (readonly [DescMessage, Message])[] {
  const details: (readonly [DescMessage, Message])[] = []
  if (error.reason !== undefined) details.push([ErrorInfoSchema, create(ErrorInfoSchema, errorInfoOf(error))])
  if (error.violations.length > 0) details.push([BadRequestSchema, create(BadRequestSchema, badRequestOf(error))])
  if (error.preconditions.length > 0) {
    details.push([PreconditionFailureSchema, create(PreconditionFailureSchema, preconditionFailureOf(error))])
  }
  const { retryDelayMs } = error
  if (retryDelayMs !== undefined) details.push([RetryInfoSchema, create(RetryInfoSchema, retryInfoOf(retryDelayMs))])
  return details
}

const retryInfoOf = (ms: number): MessageInitShape<typeof RetryInfoSchema> => ({
  retryDelay: { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 },
})

/** google.rpc.Status in bytes, for the trailer `grpc-status-details-bin`; undefined where there is nothing more to say. */
export function statusDetails(error: RpcError): Uint8Array | undefined {
  const details = detailsOf(error).map(([schema, message]) => anyPack(schema, message))
  if (details.length === 0) return undefined
  const { code } = STATUS[error.status]
  return toBinary(StatusSchema, create(StatusSchema, { code, message: error.message, details }))
}

const typed = ([schema, message]: readonly [DescMessage, Message]): JsonObject => ({
  '@type': `type.googleapis.com/${schema.typeName}`,
  ...(messageToJson(schema, message, false) as JsonObject),
})

/** The REST envelope of an error. */
export function errorBody(error: RpcError): { readonly status: number; readonly body: JsonObject } {
  const { http } = STATUS[error.status]
  const details = detailsOf(error).map(typed)
  const shared = { code: http, message: error.message, status: error.status }
  return { status: http, body: { error: details.length === 0 ? shared : { ...shared, details } } }
}
