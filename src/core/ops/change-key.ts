import { invalidArgument } from '../error.ts'
import type { Key } from '../key.ts'
import { checkPrimary, followers } from '../multi-region.ts'
import { type Env, type KeyInput, keyOperation } from '../operation.ts'
import { type Schedule, scheduled, scheduleOf } from '../rotation.ts'
import type { KeyView } from '../view.ts'
import { checkKeyStays } from './destroy-version.ts'
import { checkSpec, dialectOf } from './material.ts'
import { checkRotatable } from './rotate-key.ts'
import { withTags } from './update-key.ts'

export type Template = Pick<Key, 'spec' | 'algorithms'>
export type ChangeKeyInput = KeyInput & {
  /** Replaces the calling dialect's tags. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Parts of the rotation schedule that change; one that is there and undefined is taken away. */
  readonly schedule?: Schedule | undefined
  /** What new versions are made of; it may throw a KmsError for a key that it is not for. */
  readonly template?: ((key: Key) => Template | undefined) | undefined
}

function changeSchedule(key: Key, change: Schedule, now: number): Key {
  const next = { ...scheduleOf(key), ...change }
  const clears = next.period === undefined && next.nextAt === undefined
  if (next.period !== undefined && next.nextAt === undefined) {
    throw invalidArgument('nextRotationTime', 'it is required where a rotation period is set')
  }
  if (!clears) checkRotatable({ key }, 'symmetric')
  const { rotation, nextRotationAt: _, ...rest } = key
  const fields = scheduled(next, now)
  if (fields.rotation === undefined) return { ...rest, ...fields }
  return { ...rest, ...fields, rotation: { ...fields.rotation, createdAt: rotation?.createdAt ?? now } }
}

const sameTemplate = (one: Template, other: Template): boolean =>
  one.spec === other.spec && String(one.algorithms) === String(other.algorithms)

function changeTemplate(env: Env, key: Key, template: Template): Key {
  checkSpec(env.backends.named(key.backend), template.spec, key.purpose)
  const { template: _, ...own } = key
  if (sameTemplate(own, template)) return own
  // While it has no version to show, a key is of the kind that its first will be.
  if (own.current !== 0) return { ...own, template }
  const { algorithms: __, ...rest } = own
  return { ...rest, ...template }
}

/**
 * Changes several facts of a key in one step.
 * @throws KmsError unsupported_operation, unsupported_spec, invalid_argument (nextRotationTime), key_pending_deletion
 */
export const changeKey = keyOperation<ChangeKeyInput, KeyView>({
  name: 'ChangeKey',
  action: 'update-key',
  async run(env, target, { tags, schedule, template: choose }) {
    const { revision, ...old } = target.key
    checkKeyStays(target)
    if (schedule !== undefined) checkPrimary(old)
    const template = choose?.(old)
    let key: Key = { ...old, updatedAt: env.now }
    if (tags !== undefined) key = { ...key, ...withTags(key, dialectOf(env), tags) }
    if (schedule !== undefined) key = changeSchedule(key, schedule, env.now)
    if (template !== undefined) key = changeTemplate(env, key, template)
    const follow = schedule === undefined ? [] : await followers(env.store, key)
    return {
      output: { ...target, key },
      writes: [{ kind: 'update', collection: 'keys', row: key, revision }, ...follow],
    }
  },
})
