import { type Deletion, type Key, toKeyState } from '../key.ts'
import { relativesOf } from '../multi-region.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import { leastWait } from '../ring-settings.ts'
import type { KeyView } from '../view.ts'
import { allVersions } from './all-versions.ts'
import { checkKeyStays } from './destroy-version.ts'
import { dialectOf } from './material.ts'

export type ScheduleDeletionInput = KeyInput & {
  /** Waiting time in ms; absent: the key's own days of soft delete. */
  readonly delay?: number | undefined
}

const DAY = 86_400_000

const previousOf = ({ state }: Key): Deletion['previous'] =>
  state === 'disabled' || state === 'pending_import' ? state : 'enabled'

/**
 * AWS ScheduleKeyDeletion and Azure's soft delete. Due is the latest of what any dialect asked for, scheduled version
 * destructions and the ring's purge protection included. A primary waits for the end of its replicas first.
 * @throws KmsError key_pending_deletion
 */
export const scheduleDeletion = keyOperation<ScheduleDeletionInput, KeyView>({
  name: 'ScheduleDeletion',
  action: 'schedule-deletion',
  async run(env, target, input) {
    const { revision, ...old } = target.key
    checkKeyStays(target)
    const least = leastWait(env.ringSettings(target.ring), old.recoverableDays)
    const asked = env.now + Math.max(input.delay ?? old.recoverableDays * DAY, least)
    const scheduled = (await allVersions(env, old.id)).map((version) => version.destroyAt ?? 0)
    const dueAt = Math.max(asked, ...scheduled)
    const plan = { by: dialectOf(env, old.createdBy), requestedAt: env.now, previous: previousOf(old) }
    const replicas = old.multiRegion?.role === 'primary' ? await relativesOf(env.store, old) : []
    const key: Key =
      replicas.length > 0
        ? {
            ...toKeyState(old, 'pending_replica_deletion', env.now),
            deletionPlan: { ...plan, delay: dueAt - env.now },
          }
        : { ...toKeyState(old, 'pending_deletion', env.now), deletion: { ...plan, dueAt } }
    return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
  },
})
