/** Who asks: the bearer challenge of Key Vault and the token that answers it. */
import { hash as digest } from 'node:crypto'
import type { AzureIssuerConfig } from '../../config/callers.ts'
import { KmsError } from '../../core/error.ts'
import { Lru } from '../../core/lru.ts'
import type { Clock, Principal } from '../../core/ports.ts'
import type { ClientCertificate } from '../http/client-certificate.ts'
import { TokenFault, type TokenFaultKind } from '../oidc/fault.ts'
import type { TokenVerifier } from '../oidc/verifier.ts'
import type { SurfaceSettings } from '../surface.ts'
import { callerOf, certificateCaller, entraCaller, type TokenClaims } from './callers.ts'
import { MISSING_TOKEN } from './errors.ts'
import type { Origin } from './http.ts'
import type { Claims, TokenStandIn } from './token.ts'

const TOKEN_LIMIT = 16_384
const BEARER = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i

/**
 * The resource that tokens are for. Clients check that the vault's host ends with it, JavaScript by host name, Go with
 * the port and Python by netloc; so it carries the port the vault was asked on.
 */
export function resourceOf(origin: Origin, settings: SurfaceSettings): string {
  const { domain, port } = origin.host
  return `https://${domain ?? settings.vaultDomain}${port === ':443' ? '' : port}`
}

/** Where tokens come from. Clients read only the tenant of it. */
function authorityOf(origin: Origin, settings: SurfaceSettings): string {
  if (settings.profile !== 'dev') return `https://login.microsoftonline.com/${settings.tenant}`
  const port = origin.localPort === undefined ? origin.host.port : `:${origin.localPort}`
  return `${origin.secure ? 'https' : 'http'}://localhost${port}/${settings.tenant}`
}

/** Clients split it at `, `, and take a slash after the tenant or the resource for part of them. */
export const challenge = (origin: Origin, settings: SurfaceSettings): string =>
  `Bearer authorization="${authorityOf(origin, settings)}", resource="${resourceOf(origin, settings)}"`

/** Key Vault's own application, which tokens of Entra's second version are for. */
const KEY_VAULT_APPLICATION = 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093'
const SHOWN_AUDIENCE = /^[0-9a-z:/._-]{1,128}$/i
const REMEMBERED = 1024

const refuse = (reason: string, cause?: unknown): KmsError => new KmsError('unauthenticated', { reason }, { cause })
const wrongIssuer = (issuers: readonly string[]): KmsError =>
  refuse(`AKV10032: Invalid issuer. Expected one of ${issuers.join(', ')}`)
function wrongAudience(expected: string, audience: string): KmsError {
  const found = SHOWN_AUDIENCE.test(audience) ? audience : '?'
  return refuse(`AKV10022: Invalid audience. Expected ${expected}, found: ${found}.`)
}

/** What Key Vault says of each kind of token that it does not take. */
const FAULTS: Readonly<Record<Exclude<TokenFaultKind, 'issuer' | 'audience'>, string>> = {
  malformed: 'Error validating token: the token is malformed.',
  algorithm: 'AKV10046: Unable to resolve the key used for signature validation.',
  signature: 'AKV10046: Unable to resolve the key used for signature validation.',
  unavailable: 'AKV10046: Unable to resolve the key used for signature validation.',
  expired: 'Error validating token: the token is expired.',
  not_yet_valid: 'Error validating token: the token is not yet valid.',
}

export type AuthenticatorOptions = {
  readonly settings: SurfaceSettings
  readonly clock: Pick<Clock, 'now'>
  readonly issuers: readonly AzureIssuerConfig[]
  /** Whether a request without a token is its client certificate's. */
  readonly clientCertificates: boolean
  readonly verifier: Pick<TokenVerifier, 'verify'>
  /** Absent in production. */
  readonly standIn: TokenStandIn | undefined
}

/** Whom a token is of. Callers bring one for an hour, and are the same object for as long. */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #issuers: ReadonlyMap<string, AzureIssuerConfig>
  /** By the digest of their token; whether that is still good is asked each time. */
  readonly #callers = new Lru<Principal>(REMEMBERED)

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#issuers = new Map(
      options.issuers.flatMap((config) => [config.issuer, ...config.aliases].map((name) => [name, config] as const)),
    )
  }

  /**
   * The principal of an Authorization header. While roles are not enforced any token will do, and one that can't be
   * verified is known by its hash.
   * @throws KmsError unauthenticated
   */
  async authenticate(
    authorization: string | undefined,
    origin: Origin,
    certificate: ClientCertificate | undefined,
  ): Promise<Principal> {
    if (authorization === undefined && certificate !== undefined && this.#options.clientCertificates) {
      return this.#shown(certificate)
    }
    const token =
      authorization !== undefined && authorization.length <= TOKEN_LIMIT ? BEARER.exec(authorization)?.[1] : undefined
    if (token === undefined) throw refuse(MISSING_TOKEN)
    const { auth } = this.#options.settings
    const hash = digest('sha256', token, 'hex')
    if (auth === 'enforce') return this.#verified(token, hash, origin)
    const lenient: Principal = { id: `bearer:token-${hash.slice(0, 16)}`, method: 'bearer' }
    if (auth === 'permissive') return this.#verified(token, hash, origin).catch(() => lenient)
    const claims = await this.#options.standIn?.verified(token, hash)
    return claims === undefined ? lenient : { id: `bearer:${claims.tid}#${claims.oid}`, method: 'bearer' }
  }

  #shown(certificate: ClientCertificate): Principal {
    const known = this.#callers.get(certificate.fingerprint)
    if (known?.method === 'mtls') return known
    const caller = certificateCaller(certificate, this.#options.settings.tenant)
    this.#callers.set(certificate.fingerprint, caller)
    return caller
  }

  /** @throws KmsError unauthenticated unless the token is genuine, for this service, of this tenant, and in its time */
  async #verified(token: string, hash: string, origin: Origin): Promise<Principal> {
    const { settings, standIn } = this.#options
    const expected = resourceOf(origin, settings)
    const own = await standIn?.verified(token, hash)
    const claims = own === undefined ? await this.#verify(token, expected) : this.#checkOwn(own, expected)
    const known = this.#callers.get(hash)
    if (known !== undefined) return known
    const config = own === undefined ? this.#issuers.get(String(claims.iss)) : undefined
    const caller =
      config === undefined ? entraCaller(claims, settings.tenant) : callerOf(claims, config, settings.tenant)
    if (caller === undefined) throw this.#wrongIssuer()
    this.#callers.set(hash, caller)
    return caller
  }

  async #verify(token: string, expected: string): Promise<TokenClaims> {
    try {
      return await this.#options.verifier.verify(token, { also: [expected, KEY_VAULT_APPLICATION] })
    } catch (error) {
      if (!(error instanceof TokenFault)) throw error
      if (error.kind === 'issuer') throw this.#wrongIssuer()
      if (error.kind === 'audience') throw wrongAudience(expected, '?')
      throw refuse(FAULTS[error.kind], error)
    }
  }

  /** The stand-in's own token: genuine already. */
  #checkOwn(claims: Claims, expected: string): TokenClaims {
    if (claims.tid !== this.#options.settings.tenant) throw this.#wrongIssuer()
    if (claims.aud !== expected && claims.aud !== KEY_VAULT_APPLICATION) throw wrongAudience(expected, claims.aud)
    const now = this.#options.clock.now() / 1000
    if (now < claims.nbf) throw refuse(FAULTS.not_yet_valid)
    if (now >= claims.exp) throw refuse(FAULTS.expired)
    return claims
  }

  #wrongIssuer(): KmsError {
    const names = [...this.#issuers.keys()]
    return wrongIssuer(names.length > 0 ? names : [`https://sts.windows.net/${this.#options.settings.tenant}/`])
  }
}
