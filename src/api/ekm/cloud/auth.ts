/** Who calls: the service account that a Google ID token names. */
import { foldEmail } from '../../../config/exposures/common.ts'
import { KmsError } from '../../../core/error.ts'
import { TokenFault, type TokenFaultKind } from '../../oidc/fault.ts'
import type { TokenVerifier } from '../../oidc/verifier.ts'

const BEARER = /^Bearer +([A-Za-z0-9._-]+) *$/i

/** The issuer that can't be reached says nothing of the caller: he may ask again. */
const refusal = (kind: TokenFaultKind, cause: unknown): KmsError =>
  kind === 'unavailable'
    ? new KmsError('backend_unavailable', {}, { cause })
    : new KmsError('unauthenticated', { reason: kind }, { cause })

/**
 * The verified address, in lower case.
 * @throws KmsError unauthenticated, backend_unavailable
 */
export async function authenticate(
  authorization: string | undefined,
  verifier: TokenVerifier,
  audience: string,
): Promise<string> {
  const token = BEARER.exec(authorization ?? '')?.[1]
  if (token === undefined) throw new KmsError('unauthenticated', { reason: 'missing' })
  try {
    const { email, email_verified: verified } = await verifier.verify(token, { audiences: [audience] })
    if (typeof email === 'string' && verified === true) return foldEmail(email)
  } catch (error) {
    throw error instanceof TokenFault ? refusal(error.kind, error) : error
  }
  throw new KmsError('unauthenticated', { reason: 'email' })
}
