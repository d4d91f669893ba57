import { KmsError } from '../error.ts'
import { isShown, type Key, type Tombstone } from '../key.ts'
import { type Env, type RealmTarget, realmOperation } from '../operation.ts'
import { sortable } from '../schema.ts'

export type GetDeletionInput = {
  readonly keyId: string
  /** Of the version that was deleted; absent: the whole key was. */
  readonly number?: number | undefined
}

async function visible(env: Env, { realm }: RealmTarget, ringId: string): Promise<boolean> {
  const ring = await env.store.get('rings', ringId)
  return ring?.realmId === realm.id && isShown(ring, env.call.dialect)
}

/** Numbers are never used twice: one that was used and is not there has been deleted. */
async function isDeleted(env: Env, row: Key | Tombstone, { keyId, number }: GetDeletionInput): Promise<boolean> {
  if (number === undefined) return 'retired' in row && row.retired
  if (number > row.versionCounter) return false
  return (await env.store.find('versions', 'number', [keyId, sortable(number)])) === undefined
}

/**
 * Whether a key or a version has been deleted for good, told from what deletions leave behind.
 * @throws KmsError deletion_not_found
 */
export const getDeletion = realmOperation<GetDeletionInput, GetDeletionInput>({
  name: 'GetDeletion',
  action: 'get-deletion',
  async run(env, target, input) {
    const { keyId, number } = input
    const row = (await env.store.get('keys', keyId)) ?? (await env.store.get('tombstones', keyId))
    if (row === undefined || !(await visible(env, target, row.ringId)) || !(await isDeleted(env, row, input))) {
      const reference = number === undefined ? keyId : `${keyId}-${number}`
      throw new KmsError('deletion_not_found', { reference })
    }
    return { output: input }
  },
})
