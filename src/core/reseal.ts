/** Moving what the root key seals (design section 1) under another root key. */
import { allRows } from './all-rows.ts'
import { KmsError } from './error.ts'
import type { Sealer, Store, Stored, Write } from './ports.ts'
import { accessKeyContext } from './principals/directory.ts'
import type { CollectionName, IndexName, Rows } from './schema.ts'
import { metaContext, ringKeyContext } from './seal.ts'

/** A token may take a millisecond for each seal, and its queue is bounded. */
const AT_ONCE = 16

type Reseal = (sealed: Uint8Array, context: string) => Promise<Uint8Array>
/** Writes that move the rows of a collection. */
type Mover = (store: Store, reseal: Reseal) => Promise<readonly Write[]>

/** @param change undefined for a row that holds no seal */
function moverOf<C extends CollectionName>(
  collection: C,
  index: IndexName<C>,
  change: (row: Rows[C], reseal: Reseal) => Promise<Partial<Rows[C]> | undefined>,
): Mover {
  const move = async ({ revision, ...rest }: Stored<Rows[C]>, reseal: Reseal): Promise<readonly Write[]> => {
    const row = rest as unknown as Rows[C]
    const changed = await change(row, reseal)
    if (changed === undefined) return []
    // The union over collections can't be told apart by a type parameter; row and collection are of one entry of Rows.
    return [{ kind: 'update', collection, revision, row: { ...row, ...changed } } as unknown as Write]
  }
  return async (store, reseal) => {
    const rows = await allRows(store, collection, index)
    const writes: Write[] = []
    for (let at = 0; at < rows.length; at += AT_ONCE) {
      const moved = await Promise.all(rows.slice(at, at + AT_ONCE).map((row) => move(row, reseal)))
      writes.push(...moved.flat())
    }
    return writes
  }
}

/** All that is sealed under the root key. Whatever else gets a seal of a Sealer has its line here. */
const UNDER_ROOT: readonly Mover[] = [
  moverOf('rings', 'all', async ({ id, sealedKey }, reseal) => ({
    sealedKey: await reseal(sealedKey, ringKeyContext(id)),
  })),
  moverOf('accessKeys', 'principal', async ({ id, sealedSecret }, reseal) => ({
    sealedSecret: await reseal(sealedSecret, accessKeyContext(id)),
  })),
  moverOf('meta', 'all', async ({ id, value }, reseal) =>
    typeof value === 'string' ? undefined : { value: await reseal(value, metaContext(id)) },
  ),
]

/** Opened again before anything relies on it: what is committed replaces the only other seal. */
async function moved(from: Sealer, to: Sealer, sealed: Uint8Array, context: string): Promise<Uint8Array> {
  const plaintext = await from.unseal(sealed, context)
  let opened: Uint8Array | undefined
  try {
    const again = await to.seal(plaintext, context)
    opened = await to.unseal(again, context)
    if (Buffer.compare(opened, plaintext) !== 0) throw new KmsError('internal')
    return again
  } finally {
    plaintext.fill(0)
    opened?.fill(0)
  }
}

/**
 * In one commit, so that there is never a store under two root keys. Nothing else may write meanwhile.
 * @returns how many seals were made
 * @throws KmsError internal for a seal that `from` does not open
 */
export async function reseal(store: Store, from: Sealer, to: Sealer): Promise<number> {
  const writes: Write[] = []
  for (const mover of UNDER_ROOT) {
    writes.push(...(await mover(store, (sealed, context) => moved(from, to, sealed, context))))
  }
  await store.commit(writes)
  return writes.length
}
