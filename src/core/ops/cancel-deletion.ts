import { KmsError } from '../error.ts'
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
    const { revision, deletion, ...old } = target.key
    if (old.state !== 'pending_deletion' || deletion === undefined) throw new KmsError('key_not_pending_deletion')
    const lost = (await allVersions(env, old.id)).some(({ state }) => state === 'pending_import')
    const wanted = lost || deletion.previous === 'pending_import' ? 'pending_import' : deletion.previous
    const live = wanted === 'enabled' && input.restore === 'disabled' ? 'disabled' : wanted
    const key = toKeyState(old, live, env.now)
    return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
  },
})
