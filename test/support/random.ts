/** Random choices that a seed repeats. */
import { randomInt } from 'node:crypto'

const NAME = 'TREFOIL_TEST_SEED'

function seedOf(given: string | undefined): number {
  if (given === undefined) return randomInt(2 ** 32)
  const seed = Number(given)
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new Error(`${NAME} is no number below 2^32: ${given}`)
  return seed
}

/** Where the choices of this process start: the environment's when a failure is to be repeated. */
export const SEED = seedOf(process.env[NAME])
/** What repeats them. Tests print it. */
export const REPEAT = `${NAME}=${SEED}`

export class Random {
  #state: number

  constructor(seed = SEED) {
    this.#state = seed >>> 0
  }

  /** 32 bits (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** A whole number from 0 on. */
  below(limit: number): number {
    return this.next() % limit
  }

  /** Both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.next() / 2 ** 32 < probability
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.next() & 0xff))
  }
}

/** With how often each comes, against the others. */
export type Weighted<T> = readonly (readonly [weight: number, item: T])[]

/** Deals every item as often as its weight says before any comes again: each seed has them all, in an order of its own. */
export class Deck<T> {
  readonly #random: Random
  readonly #all: readonly T[]
  #left: T[] = []

  constructor(random: Random, weighted: Weighted<T>) {
    this.#random = random
    this.#all = weighted.flatMap(([weight, item]) => Array.from({ length: weight }, () => item))
  }

  get size(): number {
    return this.#all.length
  }

  deal(): T {
    if (this.#left.length === 0) this.#left = [...this.#all]
    return this.#left.splice(this.#random.below(this.#left.length), 1)[0] as T
  }
}
