/** Which exposure a URL is below. Two tenants may share the beginning of their paths: the longest one that fits counts. */

export type Found<E> = {
  readonly exposure: E
  /** What comes after the exposure's path, with its slash; empty for the path itself. */
  readonly rest: string
}

export class PathTable<E extends { readonly path: string }> {
  readonly #byPath: ReadonlyMap<string, E>

  constructor(exposures: readonly E[]) {
    this.#byPath = new Map(exposures.map((exposure) => [exposure.path, exposure]))
  }

  get all(): Iterable<E> {
    return this.#byPath.values()
  }

  get(path: string): E | undefined {
    return this.#byPath.get(path)
  }

  /** @param url path and query, as the client wrote them: nothing is decoded */
  find(url: string): Found<E> | undefined {
    if (this.#byPath.size === 0) return undefined
    const path = pathOf(url)
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const exposure = this.#byPath.get(path.slice(0, end))
      if (exposure !== undefined) return { exposure, rest: path.slice(end) }
    }
    const root = this.#byPath.get('')
    return root && { exposure: root, rest: path }
  }
}

/** Without the query. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}
