/** Azure Key Vault's errors: one row for each of the core's codes. */
import type { ErrorCode, ErrorParams, ErrorSubject, KmsError } from '../../core/error.ts'
import type { Rendered, RequestHead } from '../surface.ts'
import { hostOf } from './names.ts'

/** What a message is made of; nothing else of the request gets in. */
type Facts = {
  readonly params: ErrorParams
  readonly subject: ErrorSubject | undefined
  readonly method: string
  /** Last segment of the path where it is an operation of Azure's (`sign`), else the verb's (`get`). */
  readonly operation: string
  /** The object's name as the caller wrote it, or as the kernel found it. */
  readonly name: string
  /** First segment of the path. */
  readonly root: string
  /** Where the caller is, for identifiers. */
  readonly host: string
}
type Row = { readonly status: number; readonly code: string; readonly inner?: string; message(facts: Facts): string }

const HOST = /^[0-9a-z.:[\]-]{1,260}$/i
/** Names and operations are echoed only as far as Azure's grammar allows them. */
const ECHOED = /^[0-9a-zA-Z-]{1,127}$/

const keyNotFound = (named: Row['message']): Row => ({
  status: 404,
  code: 'KeyNotFound',
  message: (facts) =>
    facts.root === 'deletedkeys'
      ? `Deleted Key not found: ${facts.name}`
      : `A key with (name/id) ${named(facts)} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
})
const notFound = keyNotFound(({ name }) => name)
const bad = (message: Row['message'], inner?: string): Row => ({
  status: 400,
  code: 'BadParameter',
  ...(inner === undefined ? {} : { inner }),
  message,
})
const forbidden = (inner: string, message: Row['message']): Row => ({ status: 403, code: 'Forbidden', inner, message })
const conflict = (inner: string | undefined, message: Row['message']): Row => ({
  status: 409,
  code: 'Conflict',
  ...(inner === undefined ? {} : { inner }),
  message,
})
const unavailable = (message: string): Row => ({ status: 503, code: 'ServiceUnavailable', message: () => message })

/** Seen live: a path segment Azure has no use for is answered as an operation that the verb does not allow. */
const noOperation = bad(({ method, params, operation }) => {
  const named = String(params.operation ?? '')
  return `Method ${method} does not allow operation '${ECHOED.test(named) ? named : operation}'`
})
const keyDisabled = forbidden(
  'KeyDisabled',
  ({ operation }) => `Operation ${operation} is not allowed on a disabled key.`,
)
const nameTaken = conflict(
  'ObjectIsDeletedButRecoverable',
  ({ name }) =>
    `Key ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`,
)
const secretNotFound: Row = {
  status: 404,
  code: 'SecretNotFound',
  message: ({ params, name, root }) =>
    root === 'deletedsecrets'
      ? `Deleted Secret not found: ${name}`
      : `A secret with (name/id) ${params.reference ?? name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
}
/** Restoring alone finds a name taken: what is made under one becomes its next version. */
const restoring = (kind: 'key' | 'secret'): Row =>
  conflict(undefined, ({ params, name, host }) => {
    const version = params.version === undefined ? '' : `/${params.version}`
    return `There was a conflict restoring the ${kind} 'https://${host}/${kind}s/${name}${version}'. This can happen if either: a second ${kind} with the same name was created after the first ${kind} was deleted; thus trying to restore a ${kind} whose name is already in use. To fix this, rename the second ${kind} to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the ${kind}. To avoid this error, perform operations against a ${kind} in a sequential manner.`
  })
const noVault: Row = {
  status: 404,
  code: 'VaultNotFound',
  message: () => 'The vault that the host names does not exist.',
}
const wrongBytes = bad(() => 'The parameter is incorrect.')

/** What a refused request was about, as its caller named it. */
function placeOf({ host, root, name }: Pick<Facts, 'host' | 'root' | 'name'>): string {
  const [vault = ''] = host.split('.', 1)
  const resource = ['', 'providers', 'microsoft.keyvault', 'vaults', vault, root, name].filter(
    (part, at) => at === 0 || part,
  )
  return [
    `Resource: '${resource.join('/')}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    "DecisionReason: 'DeniedWithNoValidRBAC' ",
    `Vault: ${vault};location=local`,
    '',
  ].join('\r\n')
}

const AZURE_ERRORS = {
  invalid_argument: bad(({ params }) =>
    params.field === 'request'
      ? String(params.reason)
      : `Property ${params.field === 'plaintext' ? 'value' : (params.field ?? '')} has invalid value: ${params.reason ?? ''}`,
  ),
  malformed_reference: bad(({ params }) => `Invalid identifier ${params.reference ?? ''}`),
  payload_too_large: {
    status: 413,
    code: 'RequestTooLarge',
    message: ({ params }) => `The request body is larger than ${params.limit ?? 'allowed'} bytes.`,
  },
  plaintext_too_large: bad(
    ({ params }) =>
      `Invalid length of 'value': at most ${params.limit ?? ''} bytes can be encrypted with this key and algorithm.`,
  ),
  digest_length: bad(
    ({ params }) =>
      `Invalid length of '${params.field ?? 'value'}': ${params.actual} bytes. ${params.algorithm} requires ${params.expected} bytes, encoded with base64url.`,
  ),
  checksum_mismatch: wrongBytes,
  unknown_operation: noOperation,
  unimplemented: noOperation,
  realm_not_found: noVault,
  ring_not_found: noVault,
  key_not_found: notFound,
  version_not_found: keyNotFound(({ name, params }) => `${name}/${params.reference ?? ''}`),
  material_not_found: notFound,
  replica_not_found: notFound,
  alias_not_found: notFound,
  grant_not_found: notFound,
  ring_exists: conflict(undefined, () => 'The vault exists already.'),
  key_exists: restoring('key'),
  key_deleted: nameTaken,
  alias_exists: conflict(undefined, () => 'The name exists already.'),
  deletion_not_found: notFound,
  secret_not_found: secretNotFound,
  secret_exists: restoring('secret'),
  secret_deleted: conflict(
    'ObjectIsDeletedButRecoverable',
    ({ params }) =>
      `Secret ${params.reference ?? ''} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.`,
  ),
  secret_not_deleted: secretNotFound,
  secret_disabled: forbidden(
    'SecretDisabled',
    ({ operation }) => `Operation ${operation} is not allowed on a disabled secret.`,
  ),
  name_reserved: conflict(undefined, ({ name }) => `The name ${name} is reserved.`),
  key_disabled: keyDisabled,
  // A deleted key has left /keys: everything there but its creation answers as for a key that never was.
  key_pending_deletion: notFound,
  key_not_pending_deletion: notFound,
  purge_protected: forbidden(
    'ForbiddenByPolicy',
    () =>
      'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.',
  ),
  key_unavailable: keyDisabled,
  key_pending_import: keyDisabled,
  // Custom key stores are AWS's: none is named here, but a key in one may be.
  key_store_not_found: noOperation,
  key_store_exists: noOperation,
  key_store_state: noOperation,
  key_store_has_keys: noOperation,
  key_store_refused: noOperation,
  key_store_disconnected: unavailable('The key store that holds the key is not connected.'),
  external_manager: unavailable('The key manager that holds the key did not serve the request.'),
  key_not_yet_valid: forbidden(
    'KeyNotYetValid',
    ({ operation }) => `Operation ${operation} is not allowed on a key that is not yet valid.`,
  ),
  key_expired: forbidden('KeyExpired', ({ operation }) => `Operation ${operation} is not allowed on an expired key.`),
  version_disabled: keyDisabled,
  version_state: keyDisabled,
  version_destroyed: notFound,
  version_imported: keyDisabled,
  key_has_versions: keyDisabled,
  not_primary: keyDisabled,
  material_pending: keyDisabled,
  material_not_pending: keyDisabled,
  usage_mismatch: forbidden(
    'KeyOperationForbidden',
    ({ operation }) => `Operation ${operation} is not permitted on this key.`,
  ),
  unsupported_operation: bad(({ operation }) => `Operation ${operation} is not supported for this key.`),
  algorithm_mismatch: bad(({ name, params: { algorithm, curve, needed } }) =>
    curve === undefined || needed === undefined
      ? `Key and algorithm are incompatible. Key ${name} cannot be used with the algorithm of this request.`
      : `Key and signing algorithm are incompatible. Key ${name} uses curve '${curve}', and algorithm '${algorithm}' can only be used with curve '${needed}'.`,
  ),
  unsupported_algorithm: bad(() => 'The algorithm is not supported for this key.'),
  unsupported_spec: bad(
    ({ params }) =>
      params.kty === undefined ? 'The key type is not supported by this vault.' : `Invalid kty value: ${params.kty}`,
    'KeyTypeNotSupported',
  ),
  invalid_ciphertext: wrongBytes,
  incorrect_key: wrongBytes,
  invalid_signature: wrongBytes,
  // Azure imports no wrapped material.
  material_mismatch: keyDisabled,
  import_token_invalid: keyDisabled,
  import_token_expired: keyDisabled,
  invalid_backup: bad(() => 'Backup blob contains invalid or corrupt version.'),
  unauthenticated: {
    status: 401,
    code: 'Unauthorized',
    message: ({ params }) => String(params.reason ?? MISSING_TOKEN),
  },
  access_denied: forbidden(
    'ForbiddenByRbac',
    ({ params, ...facts }) =>
      `${params.message ?? 'Caller is not authorized to perform action on resource.'}\r\n${placeOf(facts)}`,
  ),
  limit_exceeded: {
    status: 403,
    code: 'Forbidden',
    message: ({ params }) => `The limit of ${params.limit ?? 'this vault'} is exceeded.`,
  },
  throttled: {
    status: 429,
    code: 'Throttled',
    message: () => 'Request was not processed because too many requests were received.',
  },
  conflict: conflict(undefined, () => 'The object was changed by another request. Try again.'),
  backend_unavailable: unavailable('The cryptographic module is not available.'),
  backend_timeout: unavailable('The cryptographic module did not answer in time.'),
  audit_unavailable: unavailable('The audit log is not available.'),
  store_unavailable: unavailable('The store is not available.'),
  shutting_down: unavailable('The service is stopping.'),
  internal: {
    status: 500,
    code: 'InternalServerError',
    message: () => 'An unexpected error occurred while processing the request.',
  },
} as const satisfies Record<ErrorCode, Row>

export const MISSING_TOKEN = 'AKV10000: Request is missing a Bearer or PoP token.'

const MANAGED_HSM_HOST = /\.managedhsm\.azure\.net(?::[0-9]+)?$/i
const CLIENT_REQUEST_ID = /^[\x21-\x7e]{1,128}$/
export const clientRequestId = (headers: RequestHead['headers']): string | undefined => {
  const value = headers['x-ms-client-request-id']
  return typeof value === 'string' && CLIENT_REQUEST_ID.test(value) ? value : undefined
}

/** Headers that every answer of the service carries. */
export function commonHeaders(headers: RequestHead['headers'], requestId: string): Record<string, string> {
  const echoed = clientRequestId(headers)
  return {
    'cache-control': 'no-cache',
    pragma: 'no-cache',
    'x-ms-request-id': requestId,
    'x-ms-keyvault-region': 'local',
    'x-ms-keyvault-service-version': '1.9.0.0',
    ...(echoed === undefined ? {} : { 'x-ms-client-request-id': echoed }),
  }
}

const VERB_OPERATIONS: Readonly<Record<string, string>> = {
  GET: 'get',
  DELETE: 'delete',
  PATCH: 'update',
  PUT: 'import',
}

const POLICY_OPERATIONS: Readonly<Record<string, string>> = { GET: 'getrotationpolicy', PUT: 'setrotationpolicy' }

function factsOf(error: KmsError, head: RequestHead): Facts {
  const segments = (head.url.split('?', 1)[0] ?? '').split('/').slice(1)
  const last = segments.at(-1) ?? ''
  const host = hostOf(head.headers)
  // What is restored has its name in the backup.
  const name = String(last === 'restore' ? (error.params.reference ?? '') : (segments[1] ?? ''))
  const verbs = last === 'rotationpolicy' ? POLICY_OPERATIONS : VERB_OPERATIONS
  const verb = verbs[head.method] ?? head.method.toLowerCase()
  return {
    params: error.params,
    subject: error.subject,
    method: head.method,
    operation: (head.method === 'POST' || error.code === 'unknown_operation') && ECHOED.test(last) ? last : verb,
    // Of a key that is denied nothing is told, not even its name.
    name: ECHOED.test(name) ? name : error.code === 'access_denied' ? '' : (error.subject?.keyName ?? ''),
    root: segments[0] ?? '',
    host: HOST.test(host) ? host : '',
  }
}

/** In whole seconds; 1 where nothing better is known. */
const retryAfter = ({ params }: KmsError): string =>
  String(Math.max(1, Math.ceil(Number(params.retryAfterMs ?? 0) / 1000)))

/**
 * Status, headers and body of an error, for routes and for what never reached one. A Managed HSM says in its messages
 * which request it was.
 */
export function renderError(
  error: KmsError,
  head: RequestHead,
  requestId: string,
  managedHsm = MANAGED_HSM_HOST.test(hostOf(head.headers)),
): Rendered {
  const row: Row = AZURE_ERRORS[error.code]
  const said = row.message(factsOf(error, head))
  const message = managedHsm ? `${said} (Activity ID: ${requestId})` : said
  return {
    status: row.status,
    headers: {
      ...commonHeaders(head.headers, requestId),
      'content-type': 'application/json; charset=utf-8',
      ...(row.status === 429 || row.status === 503 ? { 'retry-after': retryAfter(error) } : {}),
    },
    body: {
      error: { code: row.code, message, ...(row.inner === undefined ? {} : { innererror: { code: row.inner } }) },
    },
  }
}
