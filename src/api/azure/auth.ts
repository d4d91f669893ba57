/** Who asks: the bearer challenge of Key Vault and the token that answers it. */
import { hash as digest } from 'node:crypto'
import { KmsError } from '../../core/error.ts'
import type { Principal } from '../../core/ports.ts'
import type { SurfaceSettings } from '../surface.ts'
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

const refuse = (reason: string): KmsError => new KmsError('unauthenticated', { reason })

/** @throws KmsError unauthenticated unless the token is genuine, for this service and in its time */
function checkClaims(claims: Claims | undefined, origin: Origin, settings: SurfaceSettings, nowMs: number): Claims {
  if (claims === undefined || claims.tid !== settings.tenant) {
    throw refuse(`AKV10032: Invalid issuer. Expected one of https://login.microsoftonline.com/${settings.tenant}/v2.0`)
  }
  const expected = resourceOf(origin, settings)
  if (claims.aud !== expected && claims.aud !== KEY_VAULT_APPLICATION) {
    const found = SHOWN_AUDIENCE.test(claims.aud) ? claims.aud : '?'
    throw refuse(`AKV10022: Invalid audience. Expected ${expected}, found: ${found}.`)
  }
  const now = nowMs / 1000
  if (now < claims.nbf || now >= claims.exp) throw refuse('The token is expired or not yet valid.')
  return claims
}

export type Authentication = {
  readonly origin: Origin
  readonly settings: SurfaceSettings
  /** Absent in production. */
  readonly standIn: TokenStandIn | undefined
  readonly now: number
}

/**
 * The principal of an Authorization header. While roles are not enforced any token will do: one of the stand-in's
 * names its object id, another is known by its hash.
 * @throws KmsError unauthenticated
 */
export async function authenticate(authorization: string | undefined, about: Authentication): Promise<Principal> {
  const token =
    authorization !== undefined && authorization.length <= TOKEN_LIMIT ? BEARER.exec(authorization)?.[1] : undefined
  if (token === undefined) throw refuse(MISSING_TOKEN)
  const hash = digest('sha256', token, 'hex')
  const claims = await about.standIn?.verified(token, hash)
  if (about.settings.auth === 'enforce') {
    return { id: `bearer:${checkClaims(claims, about.origin, about.settings, about.now).oid}`, method: 'bearer' }
  }
  const subject = claims?.oid ?? `token-${hash.slice(0, 16)}`
  return { id: `bearer:${subject}`, method: 'bearer' }
}
