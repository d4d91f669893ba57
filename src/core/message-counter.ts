/**
 * Counts the messages of key versions whose IV is drawn at random: AES-GCM allows 2^32 of them (SP 800-38D section 8.3).
 * Numbers are taken from the store in blocks, so that a message costs no write; a crash loses what was left of a block.
 */
import { KmsError } from './error.ts'
import { Lru } from './lru.ts'
import type { Store } from './ports.ts'

export type MessageCount = {
  /** The version's. */
  readonly id: string
  /** Messages that may have been made. */
  readonly reserved: number
}

export const MAX_MESSAGES = 2 ** 32
/** When a version that can be replaced should be, which leaves as many messages again to do it in. */
export const WORN_MESSAGES = 2 ** 31
const BLOCK = 2 ** 14
/** A forgotten block is lost, not used twice. */
const VERSIONS = 4096

type Block = { left: number; readonly worn: boolean }

export class MessageCounter {
  readonly #store: Store
  readonly #limit: number
  readonly #blocks = new Lru<Block>(VERSIONS)
  readonly #reserving = new Map<string, Promise<Block>>()
  #highest = 0
  readonly #nearLimit = new Set<string>()

  constructor(store: Store, limit: number = MAX_MESSAGES) {
    this.#store = store
    this.#limit = limit
  }

  /** Of the versions that were used since the start: the highest count, and how many are past half of the limit. */
  get state(): { readonly limit: number; readonly highest: number; readonly nearLimit: number } {
    return { limit: this.#limit, highest: this.#highest, nearLimit: this.#nearLimit.size }
  }

  #note({ id, reserved }: MessageCount): void {
    this.#highest = Math.max(this.#highest, reserved)
    if (reserved > this.#limit / 2) this.#nearLimit.add(id)
  }

  /** Before each message. @returns whether the version is worn @throws KmsError limit_exceeded once the version has made as many as it may */
  async take(versionId: string): Promise<boolean> {
    for (;;) {
      const block = this.#blocks.get(versionId) ?? (await this.#reserveOnce(versionId))
      if (block.left > 0) {
        block.left -= 1
        return block.worn
      }
      if (this.#blocks.get(versionId) === block) this.#blocks.delete(versionId)
    }
  }

  /** One reservation at a time for a version, however many wait for it. */
  #reserveOnce(versionId: string): Promise<Block> {
    const pending = this.#reserving.get(versionId)
    if (pending !== undefined) return pending
    const reserving = this.#reserve(versionId).finally(() => this.#reserving.delete(versionId))
    this.#reserving.set(versionId, reserving)
    return reserving
  }

  async #reserve(versionId: string): Promise<Block> {
    for (;;) {
      const row = await this.#store.get('messageCounts', versionId)
      const made = row?.reserved ?? 0
      const left = Math.min(BLOCK, this.#limit - made)
      this.#note({ id: versionId, reserved: made + left })
      if (left <= 0) throw new KmsError('limit_exceeded', { limit: this.#limit })
      const next = { id: versionId, reserved: made + left }
      try {
        await this.#store.commit([
          row === undefined
            ? { kind: 'insert', collection: 'messageCounts', row: next }
            : { kind: 'update', collection: 'messageCounts', row: next, revision: row.revision },
        ])
      } catch (error) {
        if (KmsError.from(error).code === 'conflict') continue
        throw error
      }
      const block = { left, worn: next.reserved > WORN_MESSAGES }
      this.#blocks.set(versionId, block)
      return block
    }
  }
}
