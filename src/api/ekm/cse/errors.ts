/** Structured error replies: an HTTP number, a sentence, and what was wrong in ours. Nothing of a token or a key is in them. */
import type { KmsError } from '../../../core/error.ts'
import type { Rendered } from '../../surface.ts'
import { OUTCOMES, type Outcome, withRetryAfter } from '../outcome.ts'

type Row = { readonly http: number; readonly message: string }

const ROWS = {
  invalid: { http: 400, message: 'The request is invalid.' },
  too_large: { http: 413, message: 'The request is too large.' },
  ciphertext: { http: 400, message: 'The wrapped key can not be opened for this resource.' },
  unauthenticated: { http: 401, message: 'A token is missing or invalid.' },
  denied: { http: 403, message: 'The request is denied.' },
  not_found: { http: 404, message: 'There is nothing here.' },
  exists: { http: 409, message: 'The name is taken.' },
  state: { http: 409, message: 'The key of this service can not be used.' },
  unsupported: { http: 501, message: 'The operation is not supported.' },
  throttled: { http: 429, message: 'Too many requests.' },
  late: { http: 503, message: 'The key service did not answer in time.' },
  transient: { http: 503, message: 'The key service is unavailable.' },
  internal: { http: 500, message: 'Internal error.' },
} as const satisfies Record<Outcome, Row>

/** A refusal of the protocol's own; `details` is one of our sentences. */
export class CseFault extends Error {
  override readonly name = 'CseFault'
  readonly outcome: Outcome

  constructor(outcome: Outcome, details: string, options?: { cause?: unknown }) {
    super(details, options)
    this.outcome = outcome
  }
}

/** What the tokens say is not enough. It is recorded under the rule's name. */
export class Denial extends CseFault {
  readonly rule: string

  constructor(rule: string, details: string) {
    super('denied', details)
    this.rule = rule
  }
}

export const badField = (field: string, reason: string): CseFault => new CseFault('invalid', `${field} ${reason}`)

const render = (outcome: Outcome, details: string): Rendered => {
  const { http, message } = ROWS[outcome]
  return {
    status: http,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: { code: http, message, details },
  }
}

/** Where the core names an argument its words are the core's own. */
function detailsOf({ code, params }: KmsError): string {
  if (code === 'invalid_argument') return `${params.field}: ${params.reason}`
  return code === 'unauthenticated' ? String(params.reason) : ''
}

export const renderFault = ({ outcome, message }: CseFault): Rendered => render(outcome, message)
export const renderError = (error: KmsError): Rendered =>
  withRetryAfter(render(OUTCOMES[error.code], detailsOf(error)), error)
