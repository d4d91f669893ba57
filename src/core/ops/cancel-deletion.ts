import { KmsError } from '../error.ts'
import { lacksMaterial } from '../imported.ts'
import { toKeyState } from '../key.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'
import { allVersions } from './all-versions.ts'

export type CancelDeletionInput = KeyInput & {
  /** AWS leaves the key disabled, Azure as it was. */
  readonly restore: 'disabled' | 'previous'
}

/** @throws KmsError key_not_pending_deletion */
export const cancelDeletion = keyOperation<CancelDeletionInput, KeyView>({
  name: 'CancelDeletion',
  action: 'cancel-deletion',
  async run(env, target, input) {
    const { revision, deletion, deletionPlan, ...old } = target.key
    const { previous } = deletion ?? deletionPlan ?? {}
    if (previous === undefined) throw new KmsError('key_not_pending_deletion')
    const lost = lacksMaterial(old, await allVersions(env, old.id))
    const wanted = lost ? 'pending_import' : previous
    const live = wanted === 'enabled' && input.restore === 'disabled' ? 'disabled' : wanted
    const key = toKeyState(old, live, env.now)
    return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
  },
})
