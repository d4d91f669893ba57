/** What a declaration would change: said first, done in one commit. */
import { invalidArgument, KmsError } from '../error.ts'
import type { Env } from '../operation.ts'
import type { Write } from '../ports.ts'

export type Change = {
  /** `unlisted`: there, but not in the declaration, and left alone. */
  readonly kind: 'create' | 'update' | 'delete' | 'unlisted'
  /** `user arn:…`, `role assignment …`. */
  readonly what: string
  readonly before?: unknown
  readonly after?: unknown
}
export type Section = { readonly changes: readonly Change[]; readonly writes: readonly Write[] }

export type PlanContext = Pick<Env, 'store' | 'sealer' | 'now'> & {
  /** What is not declared is taken away, in the sections that are. */
  readonly prune: boolean
}

export const gone = (prune: boolean): 'delete' | 'unlisted' => (prune ? 'delete' : 'unlisted')

/** The same for values that mean the same: members in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([one], [other]) => (one < other ? -1 : 1)))
      : member,
  )
}

/** Says of each entry which one it was. @throws KmsError invalid_argument */
export async function eachOf<T, R>(
  section: string,
  entries: readonly T[],
  read: (entry: T) => R | Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  for (const [index, entry] of entries.entries()) {
    try {
      results.push(await read(entry))
    } catch (error) {
      const known = KmsError.from(error)
      if (known.code !== 'invalid_argument') throw error
      throw invalidArgument(`${section}.${index}.${known.params.field}`, String(known.params.reason))
    }
  }
  return results
}

/** @throws KmsError invalid_argument */
export function checkOnce(section: string, names: readonly string[]): void {
  const seen = new Set<string>()
  for (const [index, name] of names.entries()) {
    if (seen.has(name)) throw invalidArgument(`${section}.${index}`, 'it is there twice')
    seen.add(name)
  }
}
