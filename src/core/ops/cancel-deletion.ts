import { KmsError } from '../error.ts'
import { toKeyState } from '../key.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'

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
    const key = toKeyState(old, input.restore === 'disabled' ? 'disabled' : deletion.previous, env.now)
    return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
  },
})
