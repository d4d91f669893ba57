import { KmsError } from '../error.ts'
import { membersOf } from '../multi-region.ts'
import { type KeyInput, type KeyTarget, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'

export type GetKeyInput = KeyInput & {
  /** Azure keeps deleted keys apart: `live` refuses them, `deleted` refuses the others. Absent: any. */
  readonly expect?: 'live' | 'deleted' | undefined
}

/** @throws KmsError key_pending_deletion, key_not_pending_deletion */
export function checkExpected(target: KeyTarget, expect: GetKeyInput['expect']): void {
  const deleted = target.key.state === 'pending_deletion'
  if (expect === 'live' && deleted) throw new KmsError('key_pending_deletion')
  if (expect === 'deleted' && !deleted) throw new KmsError('key_not_pending_deletion')
}

/** A read with an action of its own: clouds grant their reads apart. */
const keyRead = (name: string, action: string) =>
  keyOperation<GetKeyInput, KeyView>({
    name,
    action,
    async run(_env, target, input) {
      checkExpected(target, input.expect)
      return { output: target }
    },
  })

export const getKey = keyOperation<GetKeyInput, KeyView>({
  name: 'GetKey',
  action: 'get-key',
  async run({ store }, target, input) {
    checkExpected(target, input.expect)
    if (target.key.multiRegion === undefined) return { output: target }
    return { output: { ...target, family: await membersOf(store, target.realm, target.key) } }
  },
})
export const getKeyPolicy = keyRead('GetKeyPolicy', 'get-key-policy')
export const listKeyPolicies = keyRead('ListKeyPolicies', 'list-key-policies')
export const getKeyRotation = keyRead('GetKeyRotation', 'get-key-rotation')
export const listKeyTags = keyRead('ListKeyTags', 'list-key-tags')
