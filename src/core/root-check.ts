/** Tells a wrong root key at the start, before any key is opened with it. */
import { KmsError } from './error.ts'
import type { Sealer, Store } from './ports.ts'
import { Problem } from './problem.ts'

const CHECK_ID = 'root-check'
const CONTEXT = 'meta:root-check'
const VALUE = new TextEncoder().encode('trefoil root key')

const wrongKey = (how: string): Problem =>
  new Problem(
    'the root key is not the one that this data directory was made with',
    `${how}, or point TREFOIL_DATA_DIR at the directory that belongs to this root key`,
  )

/**
 * Opens the store's check value; the first start seals one.
 * @param how what to bring back: `restore root.key`, `give the passphrase it was made with`
 * @throws Problem
 */
export async function checkRootKey(store: Store, sealer: Sealer, how: string): Promise<void> {
  const stored = await store.get('meta', CHECK_ID)
  if (stored === undefined) {
    const value = await sealer.seal(VALUE, CONTEXT)
    await store.commit([{ kind: 'insert', collection: 'meta', row: { id: CHECK_ID, value } }])
    return
  }
  if (typeof stored.value === 'string') throw wrongKey(how)
  const opened = await sealer.unseal(stored.value, CONTEXT).catch((error: unknown) => {
    throw error instanceof KmsError && error.code === 'internal' ? wrongKey(how) : error
  })
  if (Buffer.compare(opened, VALUE) !== 0) throw wrongKey(how)
}
