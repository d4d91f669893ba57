/** Opened keys. An entry serves only the exact blob, home and spec it was opened from. */
import type { KeyObject } from 'node:crypto'
import { Lru } from '../core/lru.ts'
import type { KeyHandle, KeyRef } from '../core/ports.ts'

type Entry = { readonly ringId: string; readonly spec: string; readonly ref: KeyRef; readonly key: KeyObject }

/** A blob's tag tells it from every other. */
const tagOf = (ref: KeyRef): string => Buffer.from(ref.subarray(-16)).toString('base64')

export class KeyCache {
  readonly #entries: Lru<Entry>
  readonly #destroyed: Lru<true>

  constructor(capacity: number) {
    this.#entries = new Lru(capacity)
    this.#destroyed = new Lru(capacity)
  }

  get(handle: KeyHandle): KeyObject | undefined {
    const entry = this.#entries.get(handle.versionId)
    if (entry === undefined || entry.ringId !== handle.ringId || entry.spec !== handle.spec) return undefined
    return Buffer.compare(entry.ref, handle.ref) === 0 ? entry.key : undefined
  }

  put(handle: KeyHandle, key: KeyObject): void {
    const { ringId, spec, versionId } = handle
    this.#entries.set(versionId, { ringId, spec, ref: Uint8Array.from(handle.ref), key })
  }

  /**
   * A request that read the blob before its destruction must not open it afterwards; the blob itself goes with its row
   * in the store.
   */
  destroy(handle: KeyHandle): void {
    this.#entries.delete(handle.versionId)
    this.#destroyed.set(tagOf(handle.ref), true)
  }

  isDestroyed(handle: KeyHandle): boolean {
    return this.#destroyed.get(tagOf(handle.ref)) !== undefined
  }

  clear(): void {
    this.#entries.clear()
  }
}
