/** Errors as the Security Token Service answers them: its own codes, in XML. */
import { KmsError } from '../../../core/error.ts'
import { type FaultKind, SignatureFault } from '../../sigv4/fault.ts'
import type { Rendered } from '../../surface.ts'
import { document, element } from './xml.ts'

const FAULTS = {
  missing: [403, 'MissingAuthenticationToken'],
  incomplete: [400, 'IncompleteSignature'],
  invalid: [403, 'SignatureDoesNotMatch'],
  unknown: [403, 'InvalidClientTokenId'],
  expired_token: [403, 'ExpiredToken'],
} as const satisfies Record<FaultKind, readonly [status: number, code: string]>

/** A refusal that the protocol itself has a code for. */
export class StsError extends Error {
  override readonly name = 'StsError'
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export const validation = (message: string): StsError => new StsError('ValidationError', message)
export const accessDenied = (message: string): StsError => new StsError('AccessDenied', message, 403)

function describe(error: unknown): readonly [status: number, code: string, message: string] {
  if (error instanceof StsError) return [error.status, error.code, error.message]
  if (error instanceof SignatureFault) return [...FAULTS[error.kind], error.message]
  const { code } = KmsError.from(error)
  switch (code) {
    case 'invalid_argument':
      return [400, 'MalformedInput', 'The request is not a form.']
    case 'payload_too_large':
      return [413, 'RequestEntityTooLarge', 'The request is too large.']
    case 'audit_unavailable':
    case 'store_unavailable':
    case 'shutting_down':
      return [503, 'ServiceUnavailable', 'The service is not available. Retry the request.']
    default:
      return [500, 'InternalFailure', 'The request could not be carried out.']
  }
}

export function renderStsError(error: unknown, requestId: string): Rendered {
  const [status, code, message] = describe(error)
  const body = document('ErrorResponse', [
    element('Error', [
      element('Type', status >= 500 ? 'Receiver' : 'Sender'),
      element('Code', code),
      element('Message', message),
    ]),
    element('RequestId', requestId),
  ])
  return { status, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body }
}
