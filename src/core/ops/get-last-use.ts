import type { LastUse } from '../last-use.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'

export type LastUseView = KeyView & {
  readonly lastUse: LastUse | undefined
  /** Since when the key's uses are known, ms since the epoch. */
  readonly since: number
}

export const getLastUse = keyOperation<KeyInput, LastUseView>({
  name: 'GetLastUse',
  action: 'get-last-use',
  async run({ lastUses }, target) {
    const lastUse = await lastUses.of(target.key.id)
    return { output: { ...target, lastUse, since: Math.max(lastUses.since, target.key.createdAt) } }
  },
})
