/** Tells a wrong root key at the start, before any key is opened with it. */
import { KmsError } from './error.ts'
import type { Sealer, Store } from './ports.ts'
import { Problem } from './problem.ts'
import { metaContext } from './seal.ts'

const CHECK_ID = 'root-check'
const VALUE = new TextEncoder().encode('trefoil root key')

/** A value that only this root key opens, to be kept where the key itself must not be. */
export const sealRootCheck = (sealer: Sealer): Promise<Uint8Array> => sealer.seal(VALUE, metaContext(CHECK_ID))

/** @throws KmsError when a token can't be asked */
export async function opensRootCheck(sealer: Sealer, sealed: Uint8Array): Promise<boolean> {
  const opened = await sealer.unseal(sealed, metaContext(CHECK_ID)).catch((error: unknown) => {
    if (error instanceof KmsError && error.code === 'internal') return undefined
    throw error
  })
  return opened !== undefined && Buffer.compare(opened, VALUE) === 0
}

/** Whether the store is under this root key; undefined where it is under none yet. */
export async function isUnder(store: Store, sealer: Sealer): Promise<boolean | undefined> {
  const stored = await store.get('meta', CHECK_ID)
  if (stored === undefined) return undefined
  return typeof stored.value !== 'string' && (await opensRootCheck(sealer, stored.value))
}

/**
 * Opens the store's check value; the first start seals one.
 * @param how what to bring back: `restore root.key`, `give the passphrase it was made with`
 * @throws Problem
 */
export async function checkRootKey(store: Store, sealer: Sealer, how: string): Promise<void> {
  const under = await isUnder(store, sealer)
  if (under === undefined) {
    const row = { id: CHECK_ID, value: await sealRootCheck(sealer) }
    await store.commit([{ kind: 'insert', collection: 'meta', row }])
  } else if (!under) {
    throw new Problem(
      'the root key is not the one that this data directory was made with',
      `${how}, or point TREFOIL_DATA_DIR at the directory that belongs to this root key`,
    )
  }
}
