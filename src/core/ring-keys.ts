/** Ring keys: made with a ring, sealed under the root key, opened once and kept as KeyObjects. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { KmsError } from './error.ts'
import type { Sealer, Store } from './ports.ts'
import { ringKeyContext } from './seal.ts'

const RING_KEY_BYTES = 32

/** A new ring's key, sealed. */
export async function newRingKey(sealer: Sealer, ringId: string): Promise<Uint8Array> {
  const key = randomBytes(RING_KEY_BYTES)
  try {
    return await sealer.seal(key, ringKeyContext(ringId))
  } finally {
    key.fill(0)
  }
}

export class RingKeys {
  readonly #store: Store
  readonly #sealer: Sealer
  readonly #open = new Map<string, Promise<KeyObject>>()

  constructor(store: Store, sealer: Sealer) {
    this.#store = store
    this.#sealer = sealer
  }

  /** @throws KmsError internal when the ring is gone or its seal does not open */
  get(ringId: string): Promise<KeyObject> {
    const known = this.#open.get(ringId)
    if (known !== undefined) return known
    const opening = this.#load(ringId)
    this.#open.set(ringId, opening)
    opening.catch(() => this.#open.delete(ringId))
    return opening
  }

  /** After a reset the same process serves other rings. */
  forget(): void {
    this.#open.clear()
  }

  async #load(ringId: string): Promise<KeyObject> {
    const ring = await this.#store.get('rings', ringId)
    if (ring === undefined) throw new KmsError('internal', {}, { cause: new Error(`key ring ${ringId} is gone`) })
    const key = await this.#sealer.unseal(ring.sealedKey, ringKeyContext(ringId))
    const object = createSecretKey(key)
    key.fill(0)
    return object
  }
}
