/** Signatures by the add-on, for keys that node:crypto holds. */
import type { KeyObject } from 'node:crypto'
import type { NativeAddon, NativeKey } from '../native/addon.ts'

export class NativeSigner {
  readonly #addon: NativeAddon
  /** A handle lives as long as its key. */
  readonly #handles = new WeakMap<KeyObject, NativeKey>()

  constructor(addon: NativeAddon) {
    this.#addon = addon
  }

  /** ECDSA over a digest, raw r‖s. */
  sign(key: KeyObject, digest: Uint8Array): Uint8Array {
    return this.#addon.sign(this.#handle(key), digest)
  }

  /** ECDSA over a digest, or ML-DSA over µ, on the thread pool. */
  signAsync(key: KeyObject, input: Uint8Array): Promise<Uint8Array> {
    return this.#addon.signAsync(this.#handle(key), input)
  }

  #handle(key: KeyObject): NativeKey {
    const known = this.#handles.get(key)
    if (known !== undefined) return known
    const pkcs8 = key.export({ format: 'der', type: 'pkcs8' })
    try {
      const handle = this.#addon.importKey(pkcs8)
      this.#handles.set(key, handle)
      return handle
    } finally {
      pkcs8.fill(0)
    }
  }
}
