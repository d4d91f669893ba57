/** Sealing under a root key that this process holds: version 0x01 | iv (12) | ciphertext | tag (16), AES-256-GCM, the context as AAD. */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { KmsError } from './error.ts'
import type { Sealer } from './ports.ts'

const FORMAT = 1
const IV_BYTES = 12
const TAG_BYTES = 16

/** What a seal under the root key is bound to: the row that it is in. */
export const ringKeyContext = (ringId: string): string => `ring-key:${ringId}`
export const metaContext = (id: string): string => `meta:${id}`

/** Ring keys and installation secrets only: far from the 2^32 messages that random IVs allow under one key. */
export class AesSealer implements Sealer {
  readonly #key: KeyObject

  /** @param key 32 bytes */
  constructor(key: KeyObject) {
    this.#key = key
  }

  /** The key itself, for a backup; the caller wipes it. */
  copyKey(): Buffer {
    return this.#key.export()
  }

  async seal(plaintext: Uint8Array, context: string): Promise<Uint8Array> {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    cipher.setAAD(Buffer.from(context))
    return Buffer.concat([Buffer.of(FORMAT), iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  }

  async unseal(sealed: Uint8Array, context: string): Promise<Uint8Array> {
    try {
      if (sealed[0] !== FORMAT || sealed.length < 1 + IV_BYTES + TAG_BYTES) throw new Error('not a seal of this format')
      const iv = sealed.subarray(1, 1 + IV_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', this.#key, iv, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(sealed.subarray(1 + IV_BYTES, -TAG_BYTES)), decipher.final()])
    } catch (cause) {
      throw new KmsError('internal', {}, { cause })
    }
  }
}
