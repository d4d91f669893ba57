/**
 * Why a request is not taken for signed. Each dialect has its own names for the kinds; the words are AWS's, as recorded
 * from its JSON services.
 */
export type FaultKind =
  /** Nothing that could be a signature. */
  | 'missing'
  /** Something that does not have the form of one. */
  | 'incomplete'
  /** Well-formed, and wrong: its scope, its date, or the signature itself. */
  | 'invalid'
  /** No access key of that name here, or a session token that is none. */
  | 'unknown'
  | 'expired_token'

export class SignatureFault extends Error {
  override readonly name = 'SignatureFault'
  readonly kind: FaultKind

  constructor(kind: FaultKind, message: string) {
    super(message)
    this.kind = kind
  }
}

export const incomplete = (message: string): SignatureFault => new SignatureFault('incomplete', message)
export const invalid = (message: string): SignatureFault => new SignatureFault('invalid', message)

export const mismatch = (): SignatureFault =>
  invalid(
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  )
export const unknownToken = (): SignatureFault =>
  new SignatureFault('unknown', 'The security token included in the request is invalid.')
export const expiredToken = (): SignatureFault =>
  new SignatureFault('expired_token', 'The security token included in the request is expired')
