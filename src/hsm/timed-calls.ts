/** The hot calls of one session, at once or through the thread pool, whichever suits the token. */
import type { Mechanism } from 'pkcs11js'
import type { Handle } from './objects.ts'
import { CIPHERTEXT_REFUSED } from './return-codes.ts'
import { CiphertextRefused, ckrOf, type Session } from './token.ts'

// pkcs11js gives an empty Buffer of its own a null pointer, which modules refuse.
const EMPTY = Buffer.alloc(1).subarray(0, 0)
export const buffer = (bytes: Uint8Array): Buffer =>
  bytes.length === 0 ? EMPTY : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

/** Above this, ms, a call goes through the thread pool (50 µs dearer), so that other sessions are served meanwhile. */
const SLOW = 0.3
const WEIGHT = 0.1

export class TimedCalls {
  /** Running mean of what a call took, ms, by mechanism. */
  readonly #took = new Map<number, number>()
  /** Buffers of calls in flight; pkcs11js does not hold them (issue 121). */
  readonly #held = new Set<readonly Buffer[]>()

  sign(session: Session, mechanism: Mechanism, key: Handle, data: Buffer, size: number): Promise<Buffer> {
    const { lib, handle } = session
    const output = Buffer.alloc(size)
    lib.C_SignInit(handle, mechanism, key)
    return this.#timed(
      mechanism.mechanism,
      [data, output],
      () => lib.C_Sign(handle, data, output),
      () => lib.C_SignAsync(handle, data, output),
    )
  }

  encrypt(session: Session, mechanism: Mechanism, key: Handle, plaintext: Uint8Array, size: number): Promise<Buffer> {
    const { lib, handle } = session
    const input = buffer(plaintext)
    const output = Buffer.alloc(size)
    lib.C_EncryptInit(handle, mechanism, key)
    return this.#timed(
      mechanism.mechanism,
      [input, output],
      () => lib.C_Encrypt(handle, input, output),
      () => lib.C_EncryptAsync(handle, input, output),
    )
  }

  /** Rejects with CiphertextRefused for whatever the token dislikes. */
  async decrypt(session: Session, mechanism: Mechanism, key: Handle, ciphertext: Uint8Array): Promise<Buffer> {
    const { lib, handle } = session
    const input = buffer(ciphertext)
    const output = Buffer.alloc(ciphertext.length)
    lib.C_DecryptInit(handle, mechanism, key)
    return await refusing(() =>
      this.#timed(
        mechanism.mechanism,
        [input, output],
        () => lib.C_Decrypt(handle, input, output),
        () => lib.C_DecryptAsync(handle, input, output),
      ),
    )
  }

  async #timed(
    mechanism: number,
    held: readonly Buffer[],
    now: () => Buffer,
    later: () => Promise<Buffer>,
  ): Promise<Buffer> {
    const mean = this.#took.get(mechanism)
    const started = performance.now()
    this.#held.add(held)
    try {
      return mean !== undefined && mean > SLOW ? await later() : now()
    } finally {
      this.#held.delete(held)
      const took = performance.now() - started
      this.#took.set(mechanism, mean === undefined ? took : mean + WEIGHT * (took - mean))
    }
  }
}

/** Turns what the decrypting call itself answers about its input into one refusal. */
export async function refusing<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const ckr = ckrOf(error)
    throw ckr !== undefined && CIPHERTEXT_REFUSED.has(ckr) ? new CiphertextRefused(ckr) : error
  }
}
