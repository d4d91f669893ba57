/** The root key in a token: a non-extractable AES-256 key that seals the ring keys with AES-GCM inside the token. */
import { KmsError } from '../core/error.ts'
import type { Sealer } from '../core/ports.ts'
import type { TokenClient } from './client.ts'

export class TokenSealer implements Sealer {
  readonly #client: TokenClient

  constructor(client: TokenClient) {
    this.#client = client
  }

  seal(plaintext: Uint8Array, context: string): Promise<Uint8Array> {
    return this.#client.call('seal', { plaintext, context })
  }

  /** Rejects with `internal` for what does not open; with the backend's own errors while the token can't be asked. */
  async unseal(sealed: Uint8Array, context: string): Promise<Uint8Array> {
    try {
      return await this.#client.call('unseal', { sealed, context })
    } catch (error) {
      if (error instanceof KmsError && error.code === 'invalid_ciphertext')
        throw new KmsError('internal', {}, { cause: error })
      throw error
    }
  }
}

/**
 * Finds the root key in an opened token. `create` makes one where a search that succeeded found none: only for a new
 * data directory, because a store sealed under a lost root key must not be answered with a fresh one.
 *
 * @throws KmsError internal where there is no root key, or more than one; backend_unavailable, backend_timeout
 */
export async function openTokenSealer(client: TokenClient, options: { create: boolean }): Promise<TokenSealer> {
  await client.call('openRoot', { create: options.create })
  return new TokenSealer(client)
}
