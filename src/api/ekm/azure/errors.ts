/** Errors of the EKM proxy API: a code and a message, flat. Managed HSM acts on the HTTP number. */
import type { KmsError } from '../../../core/error.ts'
import type { Rendered } from '../../surface.ts'
import { OUTCOMES, type Outcome, withRetryAfter } from '../outcome.ts'

type Row = { readonly http: number; readonly code: string; readonly message: string }

const ROWS = {
  invalid: { http: 400, code: 'BadRequest', message: 'The request is invalid.' },
  too_large: { http: 400, code: 'BadRequest', message: 'The request is too large.' },
  ciphertext: { http: 400, code: 'BadRequest', message: 'The value cannot be unwrapped with this key.' },
  version: { http: 400, code: 'UnsupportedApiVersion', message: 'The api-version is not supported.' },
  algorithm: { http: 400, code: 'UnsupportedAlgorithm', message: 'The key does not have this algorithm.' },
  unauthenticated: { http: 401, code: 'Unauthorized', message: 'The client certificate is not accepted here.' },
  denied: { http: 403, code: 'Forbidden', message: 'The operation is not allowed on this key.' },
  state: { http: 403, code: 'KeyDisabled', message: 'The key is disabled, expired or not yet valid.' },
  not_found: { http: 404, code: 'KeyNotFound', message: 'There is no such key.' },
  path: { http: 404, code: 'NotFound', message: 'There is no such operation.' },
  method: { http: 405, code: 'MethodNotAllowed', message: 'Only POST is allowed.' },
  late: { http: 408, code: 'RequestTimeout', message: 'The key manager did not answer in time.' },
  exists: { http: 409, code: 'Conflict', message: 'It is there already.' },
  throttled: { http: 429, code: 'Throttled', message: 'Too many requests.' },
  internal: { http: 500, code: 'InternalServerError', message: 'Internal error.' },
  unsupported: { http: 501, code: 'NotImplemented', message: 'The operation is not implemented.' },
  backend: { http: 502, code: 'BadGateway', message: 'The HSM cannot be reached.' },
  transient: { http: 503, code: 'ServiceUnavailable', message: 'The key manager is unavailable.' },
} as const satisfies Record<Outcome | 'version' | 'algorithm' | 'path' | 'method' | 'backend', Row>
export type Refusal = keyof typeof ROWS

/** Where this API says more than what kind of failure it was. */
const FINER: Readonly<Partial<Record<KmsError['code'], Refusal>>> = {
  algorithm_mismatch: 'algorithm',
  unsupported_algorithm: 'algorithm',
  usage_mismatch: 'denied',
  unsupported_operation: 'denied',
  backend_unavailable: 'backend',
  key_store_disconnected: 'backend',
  external_manager: 'backend',
  unknown_operation: 'path',
}

/** A refusal that the core has no code for. */
export class EkmFault extends Error {
  override readonly name = 'EkmFault'
  readonly refusal: Refusal
  readonly detail: string | undefined

  constructor(refusal: Refusal, detail?: string) {
    super(ROWS[refusal].message)
    this.refusal = refusal
    this.detail = detail
  }
}

const RETRIED: ReadonlySet<Refusal> = new Set(['throttled', 'transient'])

const render = (refusal: Refusal, detail?: string): Rendered => {
  const { http, code, message } = ROWS[refusal]
  return {
    status: http,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(RETRIED.has(refusal) && { 'retry-after': '1' }),
      ...(refusal === 'method' && { allow: 'POST' }),
    },
    body: { code, message: detail === undefined ? message : `${message} ${detail}` },
  }
}

/** The core's words about an argument are about the request's; of all else the kind is enough. */
function detailOf({ code, params }: KmsError): string | undefined {
  if (code !== 'invalid_argument') return undefined
  const { field, reason } = params
  return `${field === 'plaintext' ? 'value' : field}: ${reason}`
}

export function renderError(error: KmsError | EkmFault): Rendered {
  if (error instanceof EkmFault) return render(error.refusal, error.detail)
  return withRetryAfter(render(FINER[error.code] ?? OUTCOMES[error.code], detailOf(error)), error)
}
