import type { Key } from '../key.ts'
import { checkPrimary, followers } from '../multi-region.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import { type RotationPolicy, rotationDate } from '../rotation.ts'
import type { KeyView } from '../view.ts'
import { checkKeyStays } from './destroy-version.ts'
import { checkEnabled, checkRotatable, type RotatableKeys } from './rotate-key.ts'

export type SetRotationInput = KeyInput & {
  readonly kind: RotatableKeys
  /** AWS changes the rotation of enabled keys only. */
  readonly enabledOnly?: boolean | undefined
  /** Absent: no rotation any more. */
  readonly policy?: Omit<RotationPolicy, 'createdAt' | 'updatedAt'> | undefined
  /** The first date, ms since the epoch; absent: counted from now (`schedule`) or from the current version (`version`). */
  readonly firstAt?: number | undefined
}

/** The date a policy that was set at `now` starts with; one that has passed is due at once. */
function firstDate(policy: RotationPolicy, { firstAt }: SetRotationInput, current: KeyView['current'], now: number) {
  if (firstAt !== undefined) return firstAt
  if (policy.anchor === 'schedule') return rotationDate(policy, { createdAt: now })
  return current === undefined ? undefined : rotationDate(policy, current)
}

/** Replaces the key's rotation policy, whichever dialect set the one it had. @throws KmsError unsupported_operation */
export const setRotation = keyOperation<SetRotationInput, KeyView>({
  name: 'SetRotation',
  action: 'set-rotation',
  async run(env, target, input) {
    const { revision, rotation: old, nextRotationAt: _, ...rest } = target.key
    checkKeyStays(target)
    if (input.enabledOnly === true) checkEnabled(target)
    checkRotatable(target, input.kind)
    checkPrimary(rest)
    let key: Key = { ...rest, updatedAt: env.now }
    if (input.policy !== undefined) {
      const rotation = { ...input.policy, createdAt: old?.createdAt ?? env.now, updatedAt: env.now }
      const nextRotationAt = firstDate(rotation, input, target.current, env.now)
      key = { ...key, rotation, ...(nextRotationAt !== undefined && { nextRotationAt }) }
    }
    return {
      output: { ...target, key },
      writes: [{ kind: 'update', collection: 'keys', row: key, revision }, ...(await followers(env.store, key))],
    }
  },
})
