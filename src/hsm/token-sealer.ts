/** The root key in a token: a non-extractable AES-256 key that seals the ring keys with AES-GCM inside the token. */
import { KmsError } from '../core/error.ts'
import type { Sealer } from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import type { TokenCalls } from './client.ts'
import type { RootKeyFacts } from './protocol.ts'

export class TokenSealer implements Sealer {
  /** Whether the key was generated in the token, and so was never outside of one. */
  readonly madeInside: boolean
  readonly #client: TokenCalls
  readonly #label: string

  constructor(client: TokenCalls, label: string, { madeInside }: RootKeyFacts) {
    this.#client = client
    this.#label = label
    this.madeInside = madeInside
  }

  seal(plaintext: Uint8Array, context: string): Promise<Uint8Array> {
    return this.#client.call('seal', { label: this.#label, plaintext, context })
  }

  /** Rejects with `internal` for what does not open; with the backend's own errors while the token can't be asked. */
  async unseal(sealed: Uint8Array, context: string): Promise<Uint8Array> {
    try {
      return await this.#client.call('unseal', { label: this.#label, sealed, context })
    } catch (error) {
      if (error instanceof KmsError && error.code === 'invalid_ciphertext')
        throw new KmsError('internal', {}, { cause: error })
      throw error
    }
  }
}

/**
 * The root key of an opened token; undefined where a search that succeeded found none.
 * @throws KmsError internal where more than one has the label; backend_unavailable, backend_timeout
 */
export async function findTokenSealer(client: TokenCalls, label: string): Promise<TokenSealer | undefined> {
  const facts = await client.call('findRoot', { label })
  return facts && new TokenSealer(client, label, facts)
}

/**
 * Makes the root key: only where nothing is sealed under one yet, because a store whose root key is lost must not be
 * answered with a fresh one.
 * @param key put into the token instead of a key that is generated there
 */
export async function makeTokenSealer(client: TokenCalls, label: string, key?: Secret): Promise<TokenSealer> {
  const copy = key?.use((bytes) => Uint8Array.from(bytes))
  try {
    return new TokenSealer(client, label, await client.call('makeRoot', { label, key: copy }))
  } finally {
    copy?.fill(0)
  }
}
