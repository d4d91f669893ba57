import { allRows } from '../all-rows.ts'
import type { KeyVersion } from '../key.ts'
import type { Env } from '../operation.ts'
import type { Stored } from '../ports.ts'

/** Every version of a key, oldest first. For operations on the key as a whole; lists page. */
export const allVersions = (env: Pick<Env, 'store'>, keyId: string): Promise<readonly Stored<KeyVersion>[]> =>
  allRows(env.store, 'versions', 'number', [keyId])

/** A row without its revision, to be written again. */
export function unrevised<T extends { readonly revision: number }>(row: T): Omit<T, 'revision'> {
  const { revision: _, ...rest } = row
  return rest
}
