/** JSON Web Tokens of configured issuers (RFC 7519, RFC 8725): the claims of one that is genuine, for us, and in its time. */
import { hash } from 'node:crypto'
import { compactVerify } from 'jose'
import { Lru } from '../../core/lru.ts'
import type { Clock } from '../../core/ports.ts'
import { isRecord } from '../../core/record.ts'
import { decodeBase64url } from '../codec/base64url.ts'
import { parseJson } from '../http/json.ts'
import { TokenFault } from './fault.ts'
import type { KeySet, TrustedIssuer } from './key-set.ts'
import { KeySetPool } from './key-set-pool.ts'

/** Far above any cloud's tokens, and within what a head may have. */
export const MAX_TOKEN = 16_384
/** Callers bring one token for an hour: a look-up instead of a verification for each request. */
const REMEMBERED = { maxEntries: 1024, maxCost: 4 * 1024 * 1024 }

/** Checked: `iss`, `aud` and the times. What else is there is the issuer's word. */
export type Claims = Readonly<Record<string, unknown>> & {
  readonly iss: string
  readonly aud: readonly string[]
  readonly exp: number
}

export type VerifyOptions = {
  /** Instead of the issuer's own list. */
  readonly audiences?: readonly string[]
  /** Taken beside that list. */
  readonly also?: readonly string[]
  /** Whether a token may do without: what it is for, its bearer's other claims must say then. */
  readonly unaddressed?: boolean
}

export type VerifierOptions = {
  readonly issuers: readonly TrustedIssuer[]
  readonly clock: Pick<Clock, 'now'>
} & (
  | { /** Shared with others. */ readonly keySets: KeySetPool }
  | {
      /** Told of each time an issuer's keys could not be had. */
      readonly failed: (issuer: string, error: unknown) => void
      readonly monotonic?: () => number
    }
)

const monotonicClock = (): number => performance.now()

const poolOf = (options: VerifierOptions): KeySetPool =>
  'keySets' in options
    ? options.keySets
    : new KeySetPool({ failed: options.failed, monotonic: options.monotonic ?? monotonicClock })

type Known = { readonly config: TrustedIssuer; readonly keys: KeySet }
type Opened = { readonly header: Readonly<Record<string, unknown>>; readonly claims: Readonly<Record<string, unknown>> }

/** RFC 8725 section 3.11: what the same issuer signed for another purpose has a type of its own. */
const TYPES = /^(application\/)?(at\+)?jwt$/i
/** Keys by the sender's choice, and extensions that none of these tokens need. */
const FORBIDDEN = ['jwk', 'jku', 'x5u', 'crit', 'b64', 'zip', 'enc'] as const

const malformed = (cause?: unknown): TokenFault => new TokenFault('malformed', { cause })

function readPart(part: string): Readonly<Record<string, unknown>> {
  const bytes = decodeBase64url(part)
  if (bytes === undefined) throw malformed()
  let value: unknown
  try {
    value = parseJson(bytes, { depth: 16 })
  } catch (cause) {
    throw malformed(cause)
  }
  if (!isRecord(value)) throw malformed()
  return value
}

function open(token: string): Opened {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.')
  if (rest.length > 0 || signature === '' || decodeBase64url(signature) === undefined) throw malformed()
  const opened = { header: readPart(header), claims: readPart(payload) }
  const { alg, kid, typ } = opened.header
  const texts = typeof alg === 'string' && (kid === undefined || typeof kid === 'string')
  const typed = typ === undefined || (typeof typ === 'string' && TYPES.test(typ))
  if (!texts || !typed || FORBIDDEN.some((name) => opened.header[name] !== undefined)) throw malformed()
  return opened
}

/** RFC 7519 section 4.1.3: one, or several. */
function audiencesOf({ aud }: Opened['claims'], unaddressed = false): readonly string[] {
  if (aud === undefined && unaddressed) return []
  const all = Array.isArray(aud) ? aud : [aud]
  if (!all.every((one) => typeof one === 'string')) throw malformed()
  return all
}

/** RFC 7519 section 2, NumericDate; @returns ms */
function timeOf(claims: Opened['claims'], name: 'exp' | 'nbf' | 'iat'): number | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) throw malformed()
  return value * 1000
}

function checkTimes(claims: Opened['claims'], skewMs: number, now: number): void {
  const [exp, nbf, iat] = [timeOf(claims, 'exp'), timeOf(claims, 'nbf'), timeOf(claims, 'iat')]
  if (exp === undefined) throw malformed()
  if (exp <= now - skewMs) throw new TokenFault('expired')
  if (Math.max(nbf ?? 0, iat ?? 0) > now + skewMs) throw new TokenFault('not_yet_valid')
}

export class TokenVerifier {
  readonly #issuers = new Map<string, Known>()
  readonly #clock: VerifierOptions['clock']
  /** Tokens whose signature was good, by their digest. */
  readonly #genuine = new Lru<{ readonly claims: Opened['claims']; readonly generation: number }>(REMEMBERED)

  constructor(options: VerifierOptions) {
    this.#clock = options.clock
    const pool = poolOf(options)
    for (const config of options.issuers) {
      const keys = pool.get(config)
      for (const name of [config.issuer, ...config.aliases]) this.#issuers.set(name, { config, keys })
    }
  }

  /**
   * @param token without `Bearer`
   * @throws TokenFault
   */
  async verify(token: string, options: VerifyOptions = {}): Promise<Claims> {
    if (token.length > MAX_TOKEN) throw malformed()
    const digest = hash('sha256', token, 'base64url')
    const remembered = this.#genuine.get(digest)
    const opened = remembered === undefined ? open(token) : undefined
    const claims = remembered?.claims ?? opened?.claims ?? {}
    const known = typeof claims.iss === 'string' ? this.#issuers.get(claims.iss) : undefined
    if (known === undefined) throw new TokenFault('issuer')
    await known.keys.ready()
    if (remembered?.generation !== known.keys.generation) {
      await this.#checkSignature(token, (opened ?? open(token)).header, known)
      this.#genuine.set(digest, { claims, generation: known.keys.generation }, token.length)
    }
    const { config } = known
    const audiences = audiencesOf(claims, options.unaddressed)
    const taken = [...(options.audiences ?? config.audiences), ...(options.also ?? [])]
    if (audiences.length > 0 || options.unaddressed !== true) {
      if (!taken.some((one) => audiences.includes(one))) throw new TokenFault('audience')
    }
    checkTimes(claims, config.clockSkewMs, this.#clock.now())
    return { ...claims, aud: audiences } as Claims
  }

  /** Has the keys at hand before the first token comes. Never rejects. */
  async warm(): Promise<void> {
    await Promise.allSettled([...this.#issuers.values()].map(({ keys }) => keys.ready()))
  }

  async #checkSignature(token: string, { alg }: Opened['header'], { config, keys }: Known): Promise<void> {
    const algorithms = [...config.algorithms]
    if (!algorithms.some((one) => one === alg)) throw new TokenFault('algorithm')
    try {
      await compactVerify(token, (header) => keys.find(header), { algorithms })
    } catch (error) {
      throw error instanceof TokenFault ? error : new TokenFault('signature', { cause: error })
    }
  }
}
