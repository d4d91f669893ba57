import { toKeyState } from '../key.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'

/** The end of what was begun in several Regions: a new replica is there, a set has its new primary. */
export const settleKey = keyOperation<KeyInput, KeyView>({
  name: 'SettleKey',
  action: 'settle-key',
  async run(env, target) {
    const { revision, settling, ...old } = target.key
    if (settling === undefined) return { output: target }
    const key = toKeyState(old, settling.to, env.now)
    return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
  },
})
