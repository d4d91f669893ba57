/**
 * Google's side acts on the HTTP number. After a 403 it disables the key version, so that nothing but a decision about
 * the caller or the reason answers so; what may pass is a 503. The body is a google.rpc.Status.
 */
import type { KmsError } from '../../../core/error.ts'
import type { Rendered } from '../../surface.ts'
import { OUTCOMES, type Outcome, withRetryAfter } from '../outcome.ts'

/** google.rpc.Code, and what stands for it in HTTP (google/rpc/code.proto). */
type Row = { readonly code: number; readonly http: number; readonly message: string }

const ROWS = {
  invalid: { code: 3, http: 400, message: 'The request is invalid.' },
  too_large: { code: 3, http: 400, message: 'The request is too large.' },
  ciphertext: { code: 3, http: 400, message: 'The wrapped blob or the additional authenticated data is invalid.' },
  unauthenticated: { code: 16, http: 401, message: 'The request has no valid Google ID token.' },
  denied: { code: 7, http: 403, message: 'Permission denied.' },
  not_found: { code: 5, http: 404, message: 'The key or crypto space is not there.' },
  exists: { code: 6, http: 409, message: 'The name is taken.' },
  state: { code: 9, http: 400, message: 'The key can not be used so.' },
  unsupported: { code: 12, http: 501, message: 'The method is not implemented.' },
  throttled: { code: 8, http: 429, message: 'Too many requests.' },
  late: { code: 14, http: 503, message: 'The key manager did not answer in time.' },
  transient: { code: 14, http: 503, message: 'The key manager is unavailable.' },
  internal: { code: 13, http: 500, message: 'Internal error.' },
} as const satisfies Record<Outcome, Row>

const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'

export type Violation = { readonly field: string; readonly description: string }

/** A refusal that the kernel has no code for, or that says less than the kernel's. */
export class CloudFault extends Error {
  override readonly name = 'CloudFault'
  readonly outcome: Outcome
  readonly violation: Violation | undefined

  constructor(outcome: Outcome, violation?: Violation, options?: { cause?: unknown }) {
    super(ROWS[outcome].message, options)
    this.outcome = outcome
    this.violation = violation
  }
}

export const badField = (field: string, description: string): CloudFault =>
  new CloudFault('invalid', { field, description })

const render = (outcome: Outcome, violation?: Violation): Rendered => {
  const { code, http, message } = ROWS[outcome]
  const details = violation === undefined ? [] : [{ '@type': BAD_REQUEST, fieldViolations: [violation] }]
  return {
    status: http,
    headers: {
      'content-type': 'application/json; charset=UTF-8',
      ...(http === 401 && { 'www-authenticate': 'Bearer' }),
    },
    body: {
      code,
      message: violation === undefined ? message : `${message} ${violation.field}: ${violation.description}`,
      details,
    },
  }
}

/** Where the core names an argument, it is one of the request's: its words are the core's own. */
function violationOf({ code, params }: KmsError): Violation | undefined {
  const { field, reason } = params
  if (code === 'digest_length') return { field: 'digest', description: `has ${params.expected} bytes for this key` }
  return code === 'invalid_argument' ? { field: String(field), description: String(reason) } : undefined
}

export const renderFault = ({ outcome, violation }: CloudFault): Rendered => render(outcome, violation)
export const renderError = (error: KmsError): Rendered =>
  withRetryAfter(render(OUTCOMES[error.code], violationOf(error)), error)
