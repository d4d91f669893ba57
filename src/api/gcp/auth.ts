/** Who asks: tokens of configured issuers, and those that service accounts sign for themselves. */
import { hash } from 'node:crypto'
import type { GcpIssuerConfig } from '../../config/callers.ts'
import type { IssuerConfig } from '../../config/issuer.ts'
import { KmsError } from '../../core/error.ts'
import { Lru } from '../../core/lru.ts'
import type { Principal } from '../../core/ports.ts'
import type { ClientCertificate } from '../http/client-certificate.ts'
import { TokenFault, type TokenFaultKind } from '../oidc/fault.ts'
import type { TokenVerifier } from '../oidc/verifier.ts'
import type { RequestHead, SurfaceSettings } from '../surface.ts'
import { callerOf, certificateCaller, serviceAccountCaller, type TokenClaims } from './callers.ts'
import { RpcError } from './status.ts'

const BEARER = /^bearer +(\S{1,16384})$/i
const ANONYMOUS: Principal = { id: 'anonymous:', method: 'none' }
const REMEMBERED = 1024
/** What a token without an audience must be for (AIP-4111: self-signed tokens with scopes). */
const SCOPES: ReadonlySet<string> = new Set([
  'https://www.googleapis.com/auth/cloud-platform',
  'https://www.googleapis.com/auth/cloudkms',
])
/** Google takes none that live longer. */
const MAX_LIFE_SECONDS = 3600

export type AuthenticatorOptions = {
  readonly auth: SurfaceSettings['auth']
  readonly issuers: readonly GcpIssuerConfig[]
  readonly serviceAccounts: readonly IssuerConfig[]
  /** Taken beside what each issuer has. */
  readonly audiences: readonly string[]
  /** Whose subjects those are who show a client certificate and no token. */
  readonly certificatePool?: string
  readonly verifier: Pick<TokenVerifier, 'verify'>
}

/** How Google's front end names what is wrong with a token. */
const REASONS: Readonly<Partial<Record<TokenFaultKind, string>>> = {
  expired: 'expired',
  not_yet_valid: 'expired',
  malformed: 'unsupported',
}

const fault = (kind: TokenFaultKind): TokenFault => new TokenFault(kind)

/** @throws TokenFault */
function accountOf(claims: TokenClaims, email: string): Principal {
  const { aud, scope, sub, iat, exp } = claims
  if (sub !== email) throw fault('malformed')
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > MAX_LIFE_SECONDS) throw fault('malformed')
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  if (Array.isArray(aud) && aud.length === 0 && !scopes.some((one) => SCOPES.has(one))) throw fault('audience')
  return serviceAccountCaller(email)
}

export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #issuers: ReadonlyMap<string, GcpIssuerConfig>
  readonly #accounts: ReadonlySet<string>
  /** By the digest of their token; whether that is still good is asked each time. */
  readonly #callers = new Lru<Principal>(REMEMBERED)

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#issuers = new Map(
      options.issuers.flatMap((config) => [config.issuer, ...config.aliases].map((name) => [name, config] as const)),
    )
    this.#accounts = new Set(options.serviceAccounts.map(({ issuer }) => issuer))
  }

  /**
   * `off` and `permissive` take any credentials, or none; `enforce` lets nobody in whom it can't verify.
   * @throws KmsError unauthenticated, RpcError UNAVAILABLE
   */
  async authenticate(
    { authorization }: RequestHead['headers'],
    certificate: ClientCertificate | undefined,
  ): Promise<Principal> {
    const { certificatePool } = this.#options
    if (authorization === undefined && certificate !== undefined && certificatePool !== undefined) {
      return certificateCaller(certificate, certificatePool)
    }
    const token = typeof authorization === 'string' ? BEARER.exec(authorization)?.[1] : undefined
    const { auth } = this.#options
    if (auth === 'enforce') {
      if (token === undefined) throw new KmsError('unauthenticated', { reason: 'missing' })
      return this.#verified(token)
    }
    if (token === undefined) return ANONYMOUS
    // A token's digest tells its bearers apart in the audit log without being one.
    const lenient: Principal = { id: `bearer:${hash('sha256', token).slice(0, 16)}`, method: 'bearer' }
    return auth === 'permissive' ? this.#verified(token).catch(() => lenient) : lenient
  }

  async #verified(token: string): Promise<Principal> {
    try {
      const claims = await this.#options.verifier.verify(token, { also: this.#options.audiences, unaddressed: true })
      const digest = hash('sha256', token)
      const known = this.#callers.get(digest)
      if (known !== undefined) return known
      const caller = this.#callerOf(claims)
      this.#callers.set(digest, caller)
      return caller
    } catch (error) {
      if (!(error instanceof TokenFault)) throw error
      if (error.kind === 'unavailable') {
        throw new RpcError('UNAVAILABLE', 'Authentication backend unavailable.', { cause: error })
      }
      throw new KmsError('unauthenticated', { reason: REASONS[error.kind] ?? 'unverified' }, { cause: error })
    }
  }

  /** @throws TokenFault */
  #callerOf(claims: TokenClaims): Principal {
    const issuer = String(claims.iss)
    if (this.#accounts.has(issuer)) return accountOf(claims, issuer)
    const config = this.#issuers.get(issuer)
    // Only service accounts say in another claim what a token is for.
    if (Array.isArray(claims.aud) && claims.aud.length === 0) throw fault('audience')
    const caller = config && callerOf(claims, config)
    if (caller === undefined) throw fault('malformed')
    return caller
  }
}
