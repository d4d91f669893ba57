/** Errors as AWS words them. Clients read `__type`; the messages are those recorded from the service where it has some. */
import { type ErrorCode, type ErrorParams, KmsError } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import type { ExternalFailure, KeyStoreRefusal } from '../../core/key-store.ts'
import { UNNAMED } from '../../core/policy/aws/evaluator.ts'
import type { Rendered } from '../surface.ts'
import { AwsError, type AwsErrorType } from './aws-error.ts'
import { ERROR_SHAPES } from './gen/errors.ts'
import { OPERATIONS, type OperationName } from './gen/operations.ts'
import { externalAnswer, refusalAnswer } from './key-store-errors.ts'
import {
  type AwsAddress,
  algorithmWireName,
  arnPrefix,
  keyArn,
  specWireName,
  usageWireName,
  wireOrigin,
} from './names.ts'

/** What a message may name, in AWS's terms. */
export type ErrorContext = {
  readonly params: ErrorParams
  /** ARN of the key the error is about; empty while none was resolved. */
  readonly arn: string
  readonly keyId: string
  /** `arn:aws:kms:<region>:<account>:`, for names the caller gave. */
  readonly prefix: string
  readonly wire: string
}
/** A function where one code of the core's is several of AWS's exceptions. */
type Row = readonly [
  status: number | ((context: ErrorContext) => number),
  type: AwsErrorType | ((context: ErrorContext) => AwsErrorType),
  message: (context: ErrorContext) => string,
]

function denied({ arn, params, wire }: ErrorContext): string {
  if (params.message !== undefined) return String(params.message)
  return `The caller is not authorized to perform: kms:${wire}${arn === '' ? '' : ` on resource: ${arn}`}`
}

const silent = (): string => ''
const algorithmOf = ({ params }: ErrorContext): string => algorithmWireName(String(params.algorithm ?? ''))
const specOf = ({ params }: ErrorContext): string => specWireName(String(params.spec ?? ''))
const usageOf = ({ params }: ErrorContext): string => usageWireName(String(params.usage ?? ''))
/** A key without a public half, whose usage others with one have. */
const isSymmetric = ({ params, wire }: ErrorContext): boolean =>
  wire === 'GetPublicKey' && params.usage === 'encrypt_decrypt'
const referenceOf = ({ params }: ErrorContext): string => String(params.reference ?? '')

const keyNotFound: Row = [
  400,
  'NotFoundException',
  (context) => `Key '${context.prefix}key/${referenceOf(context)}' does not exist`,
]
const originOf = ({ origin, store }: ErrorParams): string => wireOrigin(origin as Key['origin'], store !== undefined)
const incompatible: Row = [
  400,
  'InvalidKeyUsageException',
  (context) => `Algorithm ${algorithmOf(context)} is incompatible with key spec ${specOf(context)}.`,
]
const invalidState = (text: string): Row => [400, 'KMSInvalidStateException', ({ arn }) => `${arn} is ${text}.`]
const validation = (message: Row[2]): Row => [400, 'ValidationException', message]
const refusal = ({ params, wire }: ErrorContext) => refusalAnswer(params.reason as KeyStoreRefusal, wire)
/** A replica that is being made, a set that gets another primary: that is over soon, and no fault of the service's. */
const isSettling = ({ state }: ErrorParams): boolean => state === 'creating' || state === 'updating'
const external = ({ params, wire }: ErrorContext) => externalAnswer(params.reason as ExternalFailure, wire)
const internal: Row = [500, 'KMSInternalException', silent]

const BACKEND_STATUS = { KeyUnavailableException: 500, DependencyTimeoutException: 503 } as const
type BackendError = keyof typeof BACKEND_STATUS
/** What holds the key fails: as the first of the two that the operation's clients were told to expect. */
function backendError(first: BackendError, second: BackendError, message: string): Row {
  const typeFor = ({ wire }: ErrorContext): BackendError => {
    const errors: readonly string[] = OPERATIONS[wire as OperationName]?.errors ?? []
    return !errors.includes(first) && errors.includes(second) ? second : first
  }
  return [(context) => BACKEND_STATUS[typeFor(context)], typeFor, () => message]
}

const AWS_ERRORS = {
  // Recorded: the service says nothing of what is wrong with a public key.
  invalid_argument: validation(({ params }) =>
    params.field === 'publicKey' ? '' : `Invalid ${params.field ?? 'request'}: ${params.reason ?? ''}`,
  ),
  malformed_reference: [400, 'NotFoundException', (context) => `Invalid keyId '${referenceOf(context)}'`],
  payload_too_large: [413, 'RequestEntityTooLargeException', silent],
  plaintext_too_large: validation((context) =>
    context.params.spec === undefined
      ? `Algorithm ${algorithmOf(context)} cannot encrypt data larger than ${context.params.limit} bytes.`
      : `Algorithm ${algorithmOf(context)} and key spec ${specOf(context)} cannot encrypt data larger than ${context.params.limit} bytes.`,
  ),
  digest_length: validation((context) => `Digest is invalid length for algorithm ${algorithmOf(context)}.`),
  checksum_mismatch: validation(({ params }) => `Checksum of ${params.field ?? 'request'} does not match`),
  unknown_operation: [400, 'UnknownOperationException', silent],
  unimplemented: [400, 'UnsupportedOperationException', ({ params }) => `${params.operation ?? ''} is not supported.`],
  realm_not_found: [400, 'NotFoundException', ({ prefix }) => `Account and region are not served here: ${prefix}`],
  ring_not_found: keyNotFound,
  key_not_found: keyNotFound,
  version_not_found: keyNotFound,
  alias_not_found: [
    400,
    'NotFoundException',
    (context) => `Alias ${context.prefix}${referenceOf(context)} is not found.`,
  ],
  grant_not_found: [400, 'NotFoundException', (context) => `Grant ID ${referenceOf(context)} not found`],
  ring_exists: [400, 'AlreadyExistsException', silent],
  key_exists: [400, 'AlreadyExistsException', silent],
  key_deleted: [400, 'AlreadyExistsException', silent],
  alias_exists: [
    400,
    'AlreadyExistsException',
    (context) => `An alias with the name ${context.prefix}${referenceOf(context)} already exists`,
  ],
  // No operation of AWS's names a secret or a backup.
  deletion_not_found: [400, 'NotFoundException', silent],
  secret_not_found: [400, 'NotFoundException', silent],
  secret_exists: [400, 'AlreadyExistsException', silent],
  secret_deleted: [400, 'AlreadyExistsException', silent],
  secret_not_deleted: [400, 'NotFoundException', silent],
  secret_disabled: [400, 'DisabledException', silent],
  name_reserved: [400, 'AlreadyExistsException', silent],
  key_disabled: [400, 'DisabledException', ({ arn }) => `${arn} is disabled.`],
  key_pending_deletion: [
    400,
    'KMSInvalidStateException',
    ({ arn, params }) =>
      `${arn} is pending ${params.state === 'pending_replica_deletion' ? 'replica deletion' : 'deletion'}.`,
  ],
  key_not_pending_deletion: invalidState('not pending deletion'),
  purge_protected: invalidState('protected from an early deletion'),
  key_unavailable: [
    ({ params }) => (isSettling(params) ? 400 : 500),
    ({ params }) => (isSettling(params) ? 'KMSInvalidStateException' : 'KeyUnavailableException'),
    ({ arn, params }) => `${arn} is ${isSettling(params) ? params.state : 'unavailable'}.`,
  ],
  key_pending_import: invalidState('pending import'),
  key_store_not_found: [
    400,
    'CustomKeyStoreNotFoundException',
    ({ params }) => `Custom key store ${params.reference ?? ''} is not found.`,
  ],
  key_store_exists: [
    400,
    'CustomKeyStoreNameInUseException',
    ({ params }) => `A custom key store with the name ${params.reference ?? ''} already exists.`,
  ],
  key_store_state: [
    400,
    'CustomKeyStoreInvalidStateException',
    ({ params }) =>
      `The custom key store is in the state ${String(params.state ?? '').toUpperCase()}, which does not allow this operation.`,
  ],
  key_store_has_keys: [400, 'CustomKeyStoreHasCMKsException', () => 'The custom key store contains KMS keys.'],
  // The text of the XKS proxy API specification, which is the only one that is public.
  key_store_disconnected: [
    400,
    'KMSInvalidStateException',
    () =>
      'This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the external key store and try the request again.',
  ],
  key_store_refused: [400, (context) => refusal(context).type, (context) => refusal(context).message],
  external_manager: [400, (context) => external(context).type, (context) => external(context).message],
  key_not_yet_valid: invalidState('not valid yet'),
  key_expired: invalidState('expired'),
  version_disabled: [400, 'DisabledException', ({ arn }) => `${arn} is disabled.`],
  version_state: invalidState('in a state that does not allow this operation'),
  version_destroyed: invalidState('pending deletion'),
  version_imported: invalidState('imported'),
  key_has_versions: invalidState('in a state that does not allow this operation'),
  usage_mismatch: [
    400,
    (context) => (isSymmetric(context) ? 'UnsupportedOperationException' : 'InvalidKeyUsageException'),
    (context) =>
      isSymmetric(context)
        ? ''
        : `${context.arn} key usage is ${usageOf(context)} which is not valid for ${context.wire}.`,
  ],
  material_pending: [
    400,
    'KMSInvalidStateException',
    ({ params, keyId }) =>
      `New key material (id: ${params.material}) cannot be imported into KMS key ${keyId}, because another key material (id: ${params.pending}) is pending rotation.`,
  ],
  material_not_pending: [
    400,
    'KMSInvalidStateException',
    ({ arn }) => `No available key material pending rotation for the key: ${arn}.`,
  ],
  material_mismatch: [400, 'IncorrectKeyMaterialException', silent],
  not_primary: [400, 'UnsupportedOperationException', ({ arn }) => `${arn} is not a multi-region primary key.`],
  replica_not_found: [400, 'NotFoundException', ({ arn }) => `${arn} has no replica key in the Region.`],
  material_not_found: [
    400,
    'NotFoundException',
    ({ arn, params }) => `Key material ${params.material} is not associated with ${arn}`,
  ],
  import_token_invalid: [400, 'InvalidImportTokenException', silent],
  import_token_expired: [400, 'ExpiredImportTokenException', silent],
  // Asymmetric keys are refused without a word, others with their origin (both recorded from the service).
  unsupported_operation: [
    400,
    'UnsupportedOperationException',
    ({ arn, params }) =>
      params.origin === undefined ? '' : `${arn} origin is ${originOf(params)} which is not valid for this operation.`,
  ],
  algorithm_mismatch: incompatible,
  unsupported_algorithm: [
    400,
    'UnsupportedOperationException',
    (context) => `Algorithm ${algorithmOf(context)} is not supported for key spec ${specOf(context)}.`,
  ],
  unsupported_spec: [
    400,
    'UnsupportedOperationException',
    (context) => `KeySpec ${specOf(context)} is not supported by the key store.`,
  ],
  // A key that is not there is told from one that the caller may not use by nothing.
  invalid_ciphertext: [
    400,
    ({ params }) => (params.reason === 'unknown_key' ? 'AccessDeniedException' : 'InvalidCiphertextException'),
    ({ params }) => (params.reason === 'unknown_key' ? UNNAMED : ''),
  ],
  incorrect_key: [
    400,
    'IncorrectKeyException',
    () => 'The key ID in the request does not identify a CMK that can perform this operation.',
  ],
  invalid_signature: [400, 'KMSInvalidSignatureException', silent],
  invalid_backup: [400, 'ValidationException', silent],
  unauthenticated: [400, 'MissingAuthenticationTokenException', () => 'Missing Authentication Token'],
  access_denied: [400, 'AccessDeniedException', denied],
  limit_exceeded: [
    400,
    'LimitExceededException',
    ({ arn, params, wire }) =>
      wire === 'RotateKeyOnDemand'
        ? `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${arn}`
        : `Limit exceeded: ${params.limit ?? ''}`,
  ],
  throttled: [
    400,
    'ThrottlingException',
    () => 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
  ],
  conflict: [400, 'ConflictException', silent],
  backend_unavailable: backendError(
    'KeyUnavailableException',
    'DependencyTimeoutException',
    'The key store is not available. Retry the request.',
  ),
  backend_timeout: backendError(
    'DependencyTimeoutException',
    'KeyUnavailableException',
    'The key store did not answer in time. Retry the request.',
  ),
  audit_unavailable: [503, 'ServiceUnavailableException', () => 'The audit log is not available. Retry the request.'],
  store_unavailable: [
    503,
    'ServiceUnavailableException',
    () => 'The key database is not available. Retry the request.',
  ],
  shutting_down: [503, 'ServiceUnavailableException', () => 'The service is stopping. Retry the request.'],
  internal,
} as const satisfies Record<ErrorCode, Row>

export const CONTENT_TYPE = 'application/x-amz-json-1.1'

/** An empty message is left out, as AWS does. */
function render(status: number, type: AwsErrorType, message: string, requestId: string): Rendered {
  return {
    status,
    headers: { 'content-type': CONTENT_TYPE, 'x-amzn-requestid': requestId, 'x-amzn-errortype': type },
    // Bytes, because Fastify adds a charset to JSON in a string.
    body: Buffer.from(JSON.stringify(message === '' ? { __type: type } : { __type: type, message })),
  }
}

/** Where a refused request was going, as far as that is known. */
export type ErrorScope = { readonly address: AwsAddress | undefined; readonly wire: string; readonly requestId: string }

/** Every error as AWS answers it; what is neither ours nor the core's is an internal one that says nothing. */
export function renderError(error: unknown, { address, wire, requestId }: ErrorScope): Rendered {
  if (error instanceof AwsError) {
    const status = (ERROR_SHAPES as Readonly<Record<string, string>>)[error.type] === 'server' ? 500 : 400
    return render(status, error.type, error.message, requestId)
  }
  const { code, params, subject } = KmsError.from(error)
  const [status, type, message]: Row = AWS_ERRORS[code]
  const home = subject?.realm.aws ?? address
  const keyId = subject?.multiRegionId ?? subject?.keyId ?? ''
  const arn = subject === undefined || home === undefined ? '' : keyArn(home, keyId)
  const place = address && { ...address, ...(params.account !== undefined && { account: String(params.account) }) }
  const context = { params, arn, keyId, prefix: place === undefined ? '' : arnPrefix(place), wire }
  const [answered, named] = [
    typeof status === 'function' ? status(context) : status,
    typeof type === 'function' ? type(context) : type,
  ]
  return render(answered, named, message(context), requestId)
}
