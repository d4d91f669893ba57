import type { KeyVersion } from '../key.ts'
import type { Env } from '../operation.ts'
import type { Stored } from '../ports.ts'

const PAGE = 500

/** Every version of a key, oldest first. For operations on the key as a whole; lists page. */
export async function allVersions(env: Pick<Env, 'store'>, keyId: string): Promise<readonly Stored<KeyVersion>[]> {
  const versions: Stored<KeyVersion>[] = []
  let after: string | undefined
  do {
    const page = await env.store.page('versions', 'number', [keyId], after, PAGE)
    versions.push(...page.rows)
    after = page.next
  } while (after !== undefined)
  return versions
}

/** A row without its revision, to be written again. */
export function unrevised<T extends { readonly revision: number }>(row: T): Omit<T, 'revision'> {
  const { revision: _, ...rest } = row
  return rest
}
