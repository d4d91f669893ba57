/**
 * A backend that takes so many calls at a time and refuses more, which tells callers of overload while it can still be
 * told in time. What is answered at once was never waiting, and is not counted.
 */
import type { Algorithm, KeySpec } from './algorithm.ts'
import { KmsError } from './error.ts'
import type { Eventually } from './eventually.ts'
import type {
  CallContext,
  CryptoBackend,
  EncryptParams,
  KeyHandle,
  KeyRef,
  NewKeyHome,
  PortableKeys,
  SignInput,
} from './ports.ts'
import type { Secret } from './secret.ts'

/** Told of each call that was not answered at once. */
export type BackendObserver = (call: {
  readonly backend: string
  readonly operation: string
  readonly ok: boolean
  readonly ms: number
}) => void

type Made = { ref: KeyRef; spki?: Uint8Array }

export class LimitedBackend implements CryptoBackend {
  readonly #inner: CryptoBackend
  readonly #limit: number
  readonly #observe: BackendObserver | undefined
  #inFlight = 0
  #refused = 0

  constructor(inner: CryptoBackend, limit: number, observe?: BackendObserver) {
    this.#inner = inner
    this.#limit = limit
    this.#observe = observe
  }

  get name(): string {
    return this.#inner.name
  }

  get portable(): PortableKeys | undefined {
    return this.#inner.portable
  }

  get protection(): CryptoBackend['protection'] {
    return this.#inner.protection
  }

  get limit(): number {
    return this.#limit
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Calls that there was no room for. */
  get refused(): number {
    return this.#refused
  }

  supports(spec: KeySpec, algorithm: Algorithm): boolean {
    return this.#inner.supports(spec, algorithm)
  }

  async generateKey(spec: KeySpec, home: NewKeyHome, ctx: CallContext): Promise<Made> {
    if (this.#full) return this.#refuse()
    return this.#follow('generateKey', this.#inner.generateKey(spec, home, ctx))
  }

  async importKey(spec: KeySpec, material: Secret, home: NewKeyHome, ctx: CallContext): Promise<Made> {
    if (this.#full) return this.#refuse()
    return this.#follow('importKey', this.#inner.importKey(spec, material, home, ctx))
  }

  sign(key: KeyHandle, algorithm: Algorithm, input: SignInput, ctx: CallContext): Eventually<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('sign', this.#inner.sign(key, algorithm, input, ctx))
  }

  encrypt(
    key: KeyHandle,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Eventually<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('encrypt', this.#inner.encrypt(key, algorithm, plaintext, params, ctx))
  }

  decrypt(
    key: KeyHandle,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Eventually<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('decrypt', this.#inner.decrypt(key, algorithm, ciphertext, params, ctx))
  }

  async agree(key: KeyHandle, algorithm: Algorithm, peer: Uint8Array, ctx: CallContext): Promise<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('agree', this.#inner.agree(key, algorithm, peer, ctx))
  }

  async decapsulate(key: KeyHandle, algorithm: Algorithm, text: Uint8Array, ctx: CallContext): Promise<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('decapsulate', this.#inner.decapsulate(key, algorithm, text, ctx))
  }

  mac(key: KeyHandle, algorithm: Algorithm, message: Uint8Array, ctx: CallContext): Eventually<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('mac', this.#inner.mac(key, algorithm, message, ctx))
  }

  /** Never refused: it is what undoes the others. */
  async destroyKey(key: KeyHandle, ctx: CallContext): Promise<void> {
    return this.#follow('destroyKey', this.#inner.destroyKey(key, ctx))
  }

  async random(bytes: number, ctx: CallContext): Promise<Uint8Array> {
    if (this.#full) return this.#refuse()
    return this.#follow('random', this.#inner.random(bytes, ctx))
  }

  health(ctx: CallContext): Promise<void> {
    return this.#inner.health(ctx)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** There is no room for another call. */
  get #full(): boolean {
    if (this.#inFlight < this.#limit) return false
    this.#refused += 1
    return true
  }

  /** Errors of backends are rejections, never thrown. */
  #refuse(): Promise<never> {
    return Promise.reject(new KmsError('throttled', { backend: this.name }))
  }

  #follow<T>(operation: string, value: Promise<T>): Promise<T>
  #follow<T>(operation: string, value: Eventually<T>): Eventually<T>
  #follow<T>(operation: string, value: Eventually<T>): Eventually<T> {
    return value instanceof Promise ? this.#watched(operation, value) : value
  }

  async #watched<T>(operation: string, running: Promise<T>): Promise<T> {
    const started = performance.now()
    let ok = false
    this.#inFlight += 1
    try {
      const value = await running
      ok = true
      return value
    } finally {
      this.#inFlight -= 1
      this.#observe?.({ backend: this.name, operation, ok, ms: performance.now() - started })
    }
  }
}
