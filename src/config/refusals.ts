import { Problem } from '../core/problem.ts'

/** What stands against a configuration, said all at once: an operator should not learn of it one start at a time. */
export class Refusals {
  readonly #problems: Problem[] = []

  /** @param fix one sentence: the next step */
  add(message: string, fix: string): void {
    this.#problems.push(new Problem(message, fix))
  }

  /** @throws Problem with every message, and every fix under the same number */
  throwIfAny(): void {
    const [only, ...more] = this.#problems
    if (only === undefined) return
    if (more.length === 0) throw only
    const list = (texts: readonly string[]) => texts.map((text, index) => `\n    ${index + 1}. ${text}`).join('')
    throw new Problem(
      `the configuration is refused for ${this.#problems.length} reasons:${list(this.#problems.map((one) => one.message))}`,
      list(this.#problems.map((one) => one.fix)),
    )
  }
}
