/**
 * The key that signs for other key services: one of the hierarchy, so that it is sealed, kept in a token, recorded and
 * rotated like any. Every enabled version is published; the newest one signs. A version's `kid` is its public key's digest.
 */
import { createHash, createPublicKey } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { specRow } from '../../../core/algorithm.ts'
import { KmsError } from '../../../core/error.ts'
import type { Kernel } from '../../../core/kernel.ts'
import type { KeyVersion } from '../../../core/key.ts'
import type { Call } from '../../../core/operation.ts'
import { listVersions } from '../../../core/ops/list-versions.ts'
import { sign } from '../../../core/ops/sign.ts'
import type { KeyReference } from '../../../core/reference.ts'
import { encodeBase64url } from '../../codec/base64url.ts'

const ALGORITHM = 'rsa_pkcs1_sha256'
/** How long a new version, or one that was disabled, may go unnoticed. */
const FRESH_MS = 60_000
/** Anybody may ask for the public keys, and each look is recorded: one that failed is not repeated at once. */
const RETRY_MS = 5000
/** Newest first; more than these are nobody's to verify with. */
const PUBLISHED = 16

type Published = { readonly kid: string; readonly number: number; readonly jwk: Record<string, unknown> }

export type SigningKeysOptions = {
  readonly kernel: Kernel
  readonly key: KeyReference
  /** A call of the service's own. */
  call(wire: string): Call
  readonly monotonic: () => number
}

const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function publish({ spki, number, spec }: KeyVersion): Published | undefined {
  if (spki === undefined || specRow(spec).type !== 'rsa') return undefined
  const kid = encodeBase64url(createHash('sha256').update(spki).digest())
  const jwk = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' })
  return { kid, number, jwk: { ...jwk, kid, use: 'sig', alg: 'RS256' } }
}

export class SigningKeys {
  readonly #options: SigningKeysOptions
  #published: Promise<readonly Published[]> | undefined
  #at = Number.NEGATIVE_INFINITY

  constructor(options: SigningKeysOptions) {
    this.#options = options
  }

  /** @throws KmsError */
  async jwks(): Promise<JSONWebKeySet> {
    return { keys: (await this.#keys()).map(({ jwk }) => jwk) } as JSONWebKeySet
  }

  /** A token (RFC 7519) with these claims. @throws KmsError */
  async token(claims: Readonly<Record<string, unknown>>, wire: string): Promise<string> {
    const [newest] = await this.#keys()
    if (newest === undefined) throw new KmsError('key_unavailable')
    const { kernel, key, call } = this.#options
    const input = `${segment({ alg: 'RS256', typ: 'JWT', kid: newest.kid })}.${segment(claims)}`
    const version = { by: 'number', number: newest.number } as const
    const signed = { key, version, algorithm: ALGORITHM, input: { message: Buffer.from(input) } } as const
    try {
      const { signature } = await kernel.execute(sign, signed, call(wire))
      return `${input}.${encodeBase64url(signature)}`
    } catch (error) {
      // It may have been disabled since: the next token looks again.
      this.#published = undefined
      throw error
    }
  }

  #keys(): Promise<readonly Published[]> {
    const now = this.#options.monotonic()
    if (this.#published !== undefined && now - this.#at < FRESH_MS) return this.#published
    this.#at = now
    const listed = this.#list()
    this.#published = listed
    listed.catch(() => {
      this.#at = now - FRESH_MS + RETRY_MS
    })
    return listed
  }

  async #list(): Promise<readonly Published[]> {
    const { kernel, key, call } = this.#options
    const include = ({ state }: KeyVersion): boolean => state === 'enabled'
    const input = { key, after: undefined, limit: PUBLISHED, order: 'descending', include } as const
    const { key: found, versions } = await kernel.execute(listVersions, input, call('cse/certs'))
    if (found.state !== 'enabled') return []
    return versions.map(publish).filter((one) => one !== undefined)
  }
}
