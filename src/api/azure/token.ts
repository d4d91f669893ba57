/**
 * A stand-in for the Entra token endpoint, for development: enough of OpenID discovery and of the client-credentials
 * grant for `ClientSecretCredential` and its like. Tokens are real JWTs, signed by a key of the installation.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { ensureSecret } from '../../core/installation.ts'
import type { Sealer, Store } from '../../core/ports.ts'

const LIFETIME_SECONDS = 3600

export type Claims = {
  readonly aud: string
  readonly iss: string
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  readonly oid: string
  readonly sub: string
  readonly tid: string
  readonly appid: string
  readonly azp: string
  readonly idtyp: 'app'
  readonly uti: string
  readonly ver: '2.0'
}

type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject }

const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The same client is the same principal after a restart. */
export function objectIdOf(tenant: string, clientId: string): string {
  const hex = createHash('sha256').update(`${tenant}\0${clientId.toLowerCase()}`).digest('hex')
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Clients send one token for an hour: a look-up instead of an RSA verification for each request. */
const REMEMBERED = 1024

const hasThreeParts = (token: string): boolean => /^[^.]+\.[^.]+\.[^.]+$/.test(token)

function openToken(token: string, key: SigningKey): Claims | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const decoded = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  try {
    const { alg, kid } = decoded(header) as { alg?: unknown; kid?: unknown }
    if (alg !== 'RS256' || kid !== key.kid) return undefined
    const genuine = verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      key.publicKey,
      Buffer.from(signature, 'base64url'),
    )
    return genuine ? (decoded(payload) as Claims) : undefined
  } catch {
    return undefined // not JSON: not ours
  }
}

/** Kept with the installation, so that what was issued before a restart is still good. */
export async function standInKey(store: Store, sealer: Sealer): Promise<KeyObject> {
  const make = async (): Promise<Uint8Array> => {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
    return privateKey.export({ type: 'pkcs8', format: 'der' })
  }
  const der = Buffer.from(await ensureSecret(store, sealer, 'stand-in-key', make))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

export class TokenStandIn {
  readonly #load: () => Promise<KeyObject>
  #key: Promise<SigningKey> | undefined
  /** Genuine tokens by their hash. */
  readonly #genuine = new Map<string, Claims>()

  /** @param load the RSA key, made at the first use and kept, so that tokens outlive a restart */
  constructor(load: () => Promise<KeyObject>) {
    this.#load = load
  }

  #signingKey(): Promise<SigningKey> {
    this.#key ??= this.#load().then((privateKey) => {
      const publicKey = createPublicKey(privateKey)
      const kid = createHash('sha256')
        .update(publicKey.export({ type: 'spki', format: 'der' }))
        .digest('base64url')
      return { kid, privateKey, publicKey }
    })
    this.#key.catch(() => {
      this.#key = undefined
    })
    return this.#key
  }

  async issue(
    request: { tenant: string; issuer: string; audience: string; clientId: string },
    nowMs: number,
  ): Promise<{ token: string; expiresIn: number }> {
    const { kid, privateKey } = await this.#signingKey()
    const iat = Math.floor(nowMs / 1000)
    const oid = objectIdOf(request.tenant, request.clientId)
    const claims: Claims = {
      aud: request.audience,
      iss: request.issuer,
      iat,
      nbf: iat,
      exp: iat + LIFETIME_SECONDS,
      oid,
      sub: oid,
      tid: request.tenant,
      appid: request.clientId,
      azp: request.clientId,
      idtyp: 'app',
      uti: randomUUID(),
      ver: '2.0',
    }
    const input = `${segment({ typ: 'JWT', alg: 'RS256', kid })}.${segment(claims)}`
    const signature = sign('sha256', Buffer.from(input), privateKey).toString('base64url')
    return { token: `${input}.${signature}`, expiresIn: LIFETIME_SECONDS }
  }

  /**
   * The claims of a token that this stand-in signed, whatever its times say; undefined for any other.
   * @param hash SHA-256 of the token
   */
  async verified(token: string, hash: string): Promise<Claims | undefined> {
    const known = this.#genuine.get(hash)
    if (known !== undefined || !hasThreeParts(token)) return known
    const claims = openToken(token, await this.#signingKey())
    if (claims === undefined) return undefined
    if (this.#genuine.size >= REMEMBERED) this.#genuine.clear()
    this.#genuine.set(hash, claims)
    return claims
  }

  /** RFC 7517 key set. */
  async jwks(): Promise<{ keys: readonly Record<string, unknown>[] }> {
    const { kid, publicKey } = await this.#signingKey()
    const jwk = publicKey.export({ format: 'jwk' })
    return { keys: [{ ...jwk, use: 'sig', alg: 'RS256', kid }] }
  }
}
