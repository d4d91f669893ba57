/** Rates by name: a second's worth of tokens at most (one at least), refilled all the time. */
import { Lru } from './lru.ts'

type Bucket = { tokens: number; at: number }

/** Who was not heard of for that long has a full bucket anyway. */
const MAX_BUCKETS = 10_000

export class TokenBuckets {
  readonly #buckets = new Lru<Bucket>(MAX_BUCKETS)

  /**
   * Takes a token.
   * @param rate tokens a second
   * @param now ms
   * @returns 0, or where there is none how many ms it takes until there is
   */
  take(name: string, rate: number, now: number): number {
    const most = Math.max(1, rate)
    const known = this.#buckets.get(name)
    const bucket = known ?? { tokens: most, at: now }
    // A clock that was set back refills nothing.
    const tokens = Math.min(most, bucket.tokens + (Math.max(0, now - bucket.at) * rate) / 1000)
    const taken = tokens >= 1
    bucket.tokens = taken ? tokens - 1 : tokens
    bucket.at = now
    if (known === undefined) this.#buckets.set(name, bucket)
    return taken ? 0 : Math.ceil(((1 - tokens) * 1000) / rate)
  }
}
