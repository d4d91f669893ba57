/** The exposures in force. They are replaced all at once, so that no request sees half of a change. */
import type { Exposure, ExposureOf, Protocol } from '../config/exposures/index.ts'

export class Exposures {
  #current: readonly Exposure[]

  constructor(exposures: readonly Exposure[]) {
    this.#current = exposures
  }

  replace(next: readonly Exposure[]): void {
    this.#current = next
  }

  get current(): readonly Exposure[] {
    return this.#current
  }

  /** What a surface makes of its protocol's exposures; made anew for the first request after a replacement. */
  view<P extends Protocol, T>(protocol: P, make: (exposures: readonly ExposureOf<P>[]) => T): () => T {
    let made: { readonly of: readonly Exposure[]; readonly value: T } | undefined
    return () => {
      const of = this.#current
      if (made?.of !== of) {
        made = { of, value: make(of.filter((one): one is ExposureOf<P> => one.protocol === protocol)) }
      }
      return made.value
    }
  }
}
