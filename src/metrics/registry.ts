/**
 * What is counted and measured, and what is asked for when somebody looks. Labels are positions, so that counting costs a
 * look-up for each: a request's budget has no room for more. Every label's values come from a closed set.
 */

export type Kind = 'counter' | 'gauge' | 'histogram'
export type Labels = readonly string[]

export type Distribution = {
  /** Upper bounds of the buckets; what is above the last is in `counts` once more. */
  readonly bounds: readonly number[]
  /** Of each bucket alone. */
  readonly counts: readonly number[]
  readonly sum: number
}
export type Point = { readonly labels: Labels; readonly value: number | Distribution }

export type Family = {
  readonly name: string
  readonly help: string
  readonly kind: Kind
  /** Names of the labels. */
  readonly labels: Labels
  read(): readonly Point[] | Promise<readonly Point[]>
}

type Described = Pick<Family, 'name' | 'help' | 'labels'>
type Node<C> = Map<string, Node<C> | C>

/** One cell for each combination of label values that has occurred. */
class Cells<C> {
  readonly #root: Node<C> = new Map()
  readonly #make: () => C

  constructor(make: () => C) {
    this.#make = make
  }

  at(labels: Labels): C {
    let node = this.#root
    const last = labels.length - 1
    for (let level = 0; level < last; level++) {
      const label = labels[level] ?? ''
      let next = node.get(label) as Node<C> | undefined
      if (next === undefined) {
        next = new Map()
        node.set(label, next)
      }
      node = next
    }
    const label = labels[last] ?? ''
    let cell = node.get(label) as C | undefined
    if (cell === undefined) {
      cell = this.#make()
      node.set(label, cell)
    }
    return cell
  }

  *entries(depth: number): Generator<readonly [Labels, C]> {
    yield* this.#walk(this.#root, depth, [])
  }

  *#walk(node: Node<C>, depth: number, labels: Labels): Generator<readonly [Labels, C]> {
    for (const [label, below] of node) {
      const path = depth === 0 ? labels : [...labels, label]
      if (path.length >= depth) yield [path, below as C]
      else yield* this.#walk(below as Node<C>, depth, path)
    }
  }
}

export class Counter implements Family {
  readonly kind = 'counter'
  readonly name: string
  readonly help: string
  readonly labels: Labels
  readonly #cells = new Cells(() => ({ value: 0 }))

  constructor({ name, help, labels }: Described) {
    this.name = name
    this.help = help
    this.labels = labels
  }

  add(labels: Labels, value = 1): void {
    this.#cells.at(labels).value += value
  }

  read(): readonly Point[] {
    return [...this.#cells.entries(this.labels.length)].map(([labels, { value }]) => ({ labels, value }))
  }
}

export class Histogram implements Family {
  readonly kind = 'histogram'
  readonly name: string
  readonly help: string
  readonly labels: Labels
  readonly #bounds: readonly number[]
  readonly #cells: Cells<{ readonly counts: number[]; sum: number }>

  constructor({ name, help, labels }: Described, bounds: readonly number[]) {
    this.name = name
    this.help = help
    this.labels = labels
    this.#bounds = bounds
    this.#cells = new Cells(() => ({ counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 }))
  }

  observe(labels: Labels, value: number): void {
    const cell = this.#cells.at(labels)
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++
    cell.counts[bucket] = (cell.counts[bucket] ?? 0) + 1
    cell.sum += value
  }

  read(): readonly Point[] {
    const bounds = this.#bounds
    return [...this.#cells.entries(this.labels.length)].map(([labels, { counts, sum }]) => ({
      labels,
      value: { bounds, counts: [...counts], sum },
    }))
  }
}

export class Registry {
  readonly #families = new Map<string, Family>()

  add<F extends Family>(family: F): F {
    if (this.#families.has(family.name)) throw new Error(`${family.name} is there already`)
    this.#families.set(family.name, family)
    return family
  }

  /** Read when somebody looks. What can't be read is left out of that look, as the name of a metric says nothing false. */
  watch(kind: 'counter' | 'gauge', described: Described, read: Family['read']): void {
    this.add({ ...described, kind, read })
  }

  get families(): readonly Family[] {
    return [...this.#families.values()]
  }
}

export type Reading = Omit<Family, 'read'> & { readonly points: readonly Point[] }

/** All that can be read now. */
export async function readAll(registry: Registry): Promise<readonly Reading[]> {
  const readings = await Promise.allSettled(
    registry.families.map(async ({ name, help, kind, labels, read }, index) => {
      const points = await read.call(registry.families[index])
      return { name, help, kind, labels, points }
    }),
  )
  return readings.flatMap((reading) => (reading.status === 'fulfilled' ? [reading.value] : []))
}
