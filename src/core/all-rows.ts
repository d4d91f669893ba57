import type { Store, Stored } from './ports.ts'
import type { CollectionName, IndexName, Rows } from './schema.ts'

const PAGE = 500

/** Every row whose index tuple starts with `prefix`, in tuple order, fetched a page at a time. Lists page for their callers. */
export async function* rowsOf<C extends CollectionName>(
  store: Pick<Store, 'page'>,
  collection: C,
  index: IndexName<C>,
  prefix: readonly string[] = [],
): AsyncGenerator<Stored<Rows[C]>> {
  let after: string | undefined
  do {
    const page = await store.page(collection, index, prefix, after, PAGE)
    yield* page.rows
    after = page.next
  } while (after !== undefined)
}

export async function allRows<C extends CollectionName>(
  ...query: Parameters<typeof rowsOf<C>>
): Promise<readonly Stored<Rows[C]>[]> {
  const rows: Stored<Rows[C]>[] = []
  for await (const row of rowsOf(...query)) rows.push(row)
  return rows
}
