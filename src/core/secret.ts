/** Bytes that must not leak: redacted wherever they are printed, readable only inside a callback, wiped after. */
import { inspect } from 'node:util'

export class Secret {
  readonly #bytes: Uint8Array

  /** Takes the bytes over: the caller must not keep them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get length(): number {
    return this.#bytes.length
  }

  /** The only way to the bytes; grep for `.use(` to find every reader. They must not outlive the callback. */
  use<T>(read: (bytes: Uint8Array) => T): T {
    return read(this.#bytes)
  }

  wipe(): void {
    this.#bytes.fill(0)
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
