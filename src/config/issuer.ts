/** Who may sign the tokens that callers bring, and where that issuer's keys are. */
import { resolve as absolute } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../core/problem.ts'
import { closed, oneOf, Path } from './parts.ts'

/** RFC 7518 section 3.1 and RFC 8037, without what shares a secret and without `none`. */
export const TOKEN_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number]

const Text = Type.String({ minLength: 1, maxLength: 512 })

export const Issuer = Type.Object(
  {
    /** The `iss` of its tokens, letter for letter. */
    issuer: Text,
    /** Other spellings of `iss` that the same issuer uses. */
    aliases: Type.Optional(Type.Array(Text, { maxItems: 8 })),
    /** Where its keys are; without it and without a file, the issuer's OpenID configuration says. */
    jwksUri: Type.Optional(
      Type.String({ pattern: '^https?://[^\\s#@]+$', maxLength: 2048, description: 'an https:// URL' }),
    ),
    jwksFile: Type.Optional(Path),
    /** One of them has to be in `aud`. */
    audiences: Type.Optional(Type.Array(Text, { minItems: 1, maxItems: 64, uniqueItems: true })),
    algorithms: Type.Optional(Type.Array(oneOf(TOKEN_ALGORITHMS), { minItems: 1, uniqueItems: true })),
    /** How far its clock may be from this one. */
    clockSkewSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 300 })),
    /** Authorities that sign its server's certificate, PEM; absent: the public ones. */
    ca: Type.Optional(Path),
  },
  closed,
)
export type IssuerSettings = Static<typeof Issuer>
type KeySettings = Pick<IssuerSettings, 'issuer' | 'jwksUri' | 'jwksFile' | 'ca'>

export type KeySource =
  | { readonly kind: 'file'; readonly path: string }
  /** Public keys or certificates, PEM, by the ids that tokens name them by. */
  | { readonly kind: 'pem'; readonly keys: readonly { readonly id: string; readonly path: string }[] }
  | { readonly kind: 'jwks' | 'discovery'; readonly url: string; readonly ca?: string; readonly plainLoopback: boolean }

export type IssuerConfig = {
  readonly issuer: string
  readonly aliases: readonly string[]
  readonly keys: KeySource
  /** Empty: whoever verifies has to name them. */
  readonly audiences: readonly string[]
  readonly algorithms: readonly TokenAlgorithm[]
  readonly clockSkewMs: number
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/

/** A token is worth what the way to its keys is. */
export function isKeyUrl(text: string, plainLoopback: boolean): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || (plainLoopback && url.protocol === 'http:' && LOOPBACK.test(url.hostname))
}

export function resolveKeys(settings: KeySettings, where: string, dev: boolean): KeySource {
  const { issuer, jwksUri, jwksFile, ca } = settings
  if (jwksUri !== undefined && jwksFile !== undefined) {
    throw new Problem(`${where} names both jwksUri and jwksFile`, 'remove one of them')
  }
  if (jwksFile !== undefined) return { kind: 'file', path: absolute(jwksFile) }
  const url = jwksUri ?? `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  if (!isKeyUrl(url, dev)) {
    const allowed = dev ? 'https, or http on loopback' : 'https'
    throw jwksUri === undefined
      ? new Problem(`${where}.issuer is no https URL to find keys at`, 'set jwksUri or jwksFile')
      : new Problem(`${where}.jwksUri is not a URL of ${allowed}`, 'publish the keys there, or set jwksFile')
  }
  const kind = jwksUri === undefined ? 'discovery' : 'jwks'
  return { kind, url, plainLoopback: dev, ...(ca !== undefined && { ca: absolute(ca) }) }
}

/**
 * @param where the setting's name in problems
 * @param dev whether keys may come over plain HTTP from this machine
 * @throws Problem
 */
export function resolveIssuer(settings: IssuerSettings, where: string, dev: boolean): IssuerConfig {
  return {
    issuer: settings.issuer,
    aliases: settings.aliases ?? [],
    keys: resolveKeys(settings, where, dev),
    audiences: settings.audiences ?? [],
    algorithms: settings.algorithms ?? ['RS256'],
    clockSkewMs: (settings.clockSkewSeconds ?? 60) * 1000,
  }
}
