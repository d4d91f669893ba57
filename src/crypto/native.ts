/** Signatures and envelopes by the add-on, for keys that node:crypto holds. */
import type { KeyObject } from 'node:crypto'
import type { EncryptParams } from '../core/ports.ts'
import type { NativeAddon, NativeKey, NativeSecret } from '../native/addon.ts'

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

const TAG_BYTES = 16

/** AES-256-GCM under a key derived for the message: half a microsecond, where node:crypto's objects take seven. */
export class NativeEnvelopes {
  readonly #addon: NativeAddon
  readonly #handles = new WeakMap<KeyObject, NativeSecret>()

  constructor(addon: NativeAddon) {
    this.#addon = addon
  }

  /** Ciphertext followed by its tag. */
  seal(key: KeyObject, derivation: Uint8Array, plaintext: Uint8Array, { iv, aad }: EncryptParams): Uint8Array {
    const sealed = Buffer.allocUnsafe(plaintext.length + TAG_BYTES)
    this.#addon.seal(this.#handle(key), derivation, iv, aad, plaintext, sealed)
    return sealed
  }

  /** Undefined when it does not open. */
  open(key: KeyObject, derivation: Uint8Array, sealed: Uint8Array, { iv, aad }: EncryptParams): Uint8Array | undefined {
    if (sealed.length < TAG_BYTES) return undefined
    const plaintext = Buffer.allocUnsafe(sealed.length - TAG_BYTES)
    return this.#addon.open(this.#handle(key), derivation, iv, aad, sealed, plaintext) ? plaintext : undefined
  }

  #handle(key: KeyObject): NativeSecret {
    const known = this.#handles.get(key)
    if (known !== undefined) return known
    const handle = importSecret(this.#addon, key)
    this.#handles.set(key, handle)
    return handle
  }
}

function importSecret(addon: NativeAddon, key: KeyObject): NativeSecret {
  const bytes = key.export()
  try {
    return addon.importSecret(bytes)
  } finally {
    bytes.fill(0)
  }
}

/** HMAC-SHA256 of texts under one key, in base64url. */
export function nativeMac(addon: NativeAddon, key: KeyObject): (text: string) => string {
  const secret = importSecret(addon, key)
  return (text) => addon.mac(secret, text)
}
