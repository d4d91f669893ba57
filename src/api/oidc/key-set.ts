/**
 * An issuer's public keys, kept. They are fetched when they are old and when a token names one that is not there, but
 * never more often than the cool-down allows: whoever sends made-up key ids must not make a fetch each. While the issuer
 * can't be reached the old keys serve on, for a time that is bounded.
 */
import { createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type JWK, type JWSHeaderParameters } from 'jose'
import type { IssuerConfig, KeySource } from '../../config/issuer.ts'
import { isRecord } from '../../core/record.ts'
import { parseJson } from '../http/json.ts'
import { TokenFault } from './fault.ts'
import { fetchJson } from './fetch.ts'

const MINUTE = 60_000
export const KEY_TIMES = {
  /** Keys older than this are fetched beside the request that notices. */
  refreshMs: 5 * MINUTE,
  /** Keys older than this are fetched before the request goes on. */
  freshMs: 10 * MINUTE,
  /** Keys older than this serve nobody. */
  staleMs: 24 * 60 * MINUTE,
  coolDownMs: 30_000,
  /** After a fetch that failed. */
  retryMs: 5000,
} as const

type Keys = { readonly find: ReturnType<typeof createLocalJWKSet>; readonly at: number }

/** This service's own keys, which cost no fetch: they are asked for each time, so that one that is disabled is gone. */
export type OwnKeys = { readonly kind: 'own'; load(): Promise<JSONWebKeySet> }
export type TrustedIssuer = Omit<IssuerConfig, 'keys'> & { readonly keys: KeySource | OwnKeys }

export type KeySetOptions = {
  readonly issuer: Pick<TrustedIssuer, 'issuer' | 'keys'>
  /** Ms of a clock that nobody sets. */
  readonly monotonic: () => number
  /** Told of each fetch that failed. */
  readonly failed: (error: unknown) => void
}

export class KeySet {
  readonly #options: KeySetOptions
  #keys: Keys | undefined
  #triedAt = Number.NEGATIVE_INFINITY
  #trying: Promise<void> | undefined
  #failing = false
  #generation = 0

  constructor(options: KeySetOptions) {
    this.#options = options
  }

  /** Another number after each fetch: what was verified before may be by a key that is gone. */
  get generation(): number {
    return this.#generation
  }

  /** Before anything is concluded from what was verified earlier. @throws TokenFault unavailable */
  async ready(): Promise<void> {
    const age = this.#age()
    const freshMs = this.#options.issuer.keys.kind === 'own' ? 0 : KEY_TIMES.freshMs
    if (age >= freshMs) await this.#refresh()
    else if (age >= KEY_TIMES.refreshMs) void this.#refresh()
    if (this.#age() >= KEY_TIMES.staleMs) throw new TokenFault('unavailable')
  }

  /** @throws TokenFault signature or unavailable */
  async find(header: JWSHeaderParameters): Promise<CryptoKey> {
    await this.ready()
    const found = await this.#look(header)
    if (found !== undefined) return found
    await this.#refresh()
    const second = await this.#look(header)
    if (second !== undefined) return second
    throw new TokenFault(this.#failing ? 'unavailable' : 'signature')
  }

  #age(): number {
    return this.#keys === undefined ? Number.POSITIVE_INFINITY : this.#options.monotonic() - this.#keys.at
  }

  async #look(header: JWSHeaderParameters): Promise<CryptoKey | undefined> {
    try {
      return await this.#keys?.find(header)
    } catch (error) {
      // No such key; several, none of them meant; or one that is none (a short modulus, a point off its curve).
      if (error instanceof errors.JWKSNoMatchingKey) return undefined
      throw new TokenFault('signature', { cause: error })
    }
  }

  /** One at a time, and none within the cool-down of the last. Never rejects. */
  #refresh(): Promise<void> {
    if (this.#trying !== undefined) return this.#trying
    const now = this.#options.monotonic()
    const pause = this.#failing ? KEY_TIMES.retryMs : KEY_TIMES.coolDownMs
    if (now - this.#triedAt < pause && this.#options.issuer.keys.kind !== 'own') return Promise.resolve()
    this.#triedAt = now
    this.#trying = this.#load()
      .then((set) => {
        this.#keys = { find: createLocalJWKSet(set), at: this.#options.monotonic() }
        this.#generation++
        this.#failing = false
      })
      .catch((error: unknown) => {
        this.#failing = true
        this.#options.failed(error)
      })
      .finally(() => {
        this.#trying = undefined
      })
    return this.#trying
  }

  async #load(): Promise<JSONWebKeySet> {
    const { issuer, keys } = this.#options.issuer
    if (keys.kind === 'own') return keys.load()
    if (keys.kind === 'file') return readSet(parseJson(await readFile(keys.path), { depth: 8 }))
    if (keys.kind === 'pem') return { keys: await Promise.all(keys.keys.map(readPem)) }
    const rules = {
      plainLoopback: keys.plainLoopback,
      ...(keys.ca !== undefined && { caFile: keys.ca }),
    }
    const document = await fetchJson(keys.url, rules)
    if (keys.kind === 'jwks') return readSet(document)
    // OpenID Connect Discovery 1.0 section 4.3
    if (!isRecord(document) || document.issuer !== issuer || typeof document.jwks_uri !== 'string') {
      throw new Error('the OpenID configuration is not of this issuer')
    }
    return readSet(await fetchJson(document.jwks_uri, rules))
  }
}

/** Without an algorithm: which ones are taken, the issuer's settings say. */
async function readPem({ id, path }: { readonly id: string; readonly path: string }): Promise<JWK> {
  const jwk = createPublicKey(await readFile(path)).export({ format: 'jwk' })
  return { ...jwk, kid: id } as JWK
}

/** Members that are no public keys are left out; RFC 7517 section 5 has unknown ones ignored. */
function readSet(value: unknown): JSONWebKeySet {
  const keys = isRecord(value) ? value.keys : undefined
  if (!Array.isArray(keys)) throw new Error('the document is no JSON Web Key Set')
  const isPublic = (key: unknown): boolean =>
    isRecord(key) && typeof key.kty === 'string' && key.d === undefined && key.k === undefined
  return { keys: keys.filter(isPublic) }
}
