/** Key sets that outlive whoever verifies with them, so that new settings do not need the issuers to be there at that moment. */
import { KeySet, type TrustedIssuer } from './key-set.ts'

export type KeySetPoolOptions = {
  readonly monotonic: () => number
  /** Told of each time an issuer's keys could not be had. */
  readonly failed: (issuer: string, error: unknown) => void
}

export class KeySetPool {
  readonly #options: KeySetPoolOptions
  #sets = new Map<string, KeySet>()
  #before: ReadonlyMap<string, KeySet> = new Map()

  constructor(options: KeySetPoolOptions) {
    this.#options = options
  }

  /** What `make` asks for is kept; what it does not is forgotten. */
  renew<T>(make: () => T): T {
    const before = this.#sets
    this.#before = before
    this.#sets = new Map()
    try {
      return make()
    } catch (error) {
      this.#sets = before
      throw error
    } finally {
      this.#before = new Map()
    }
  }

  /** Of the same issuer with keys at the same place there is one. */
  get(issuer: Pick<TrustedIssuer, 'issuer' | 'keys'>): KeySet {
    const { monotonic, failed } = this.#options
    const make = (): KeySet => new KeySet({ issuer, monotonic, failed: (error) => failed(issuer.issuer, error) })
    if (issuer.keys.kind === 'own') return make()
    const id = JSON.stringify([issuer.issuer, issuer.keys])
    const kept = this.#sets.get(id) ?? this.#before.get(id) ?? make()
    this.#sets.set(id, kept)
    return kept
  }
}
