import { KmsError } from '../error.ts'
import { type KeyVersion, keyStateError, toVersionState } from '../key.ts'
import { type KeyTarget, type VersionInput, type VersionTarget, versionOperation } from '../operation.ts'
import { leastWait } from '../ring-settings.ts'
import type { VersionView } from '../view.ts'
import { destroyMaterial } from './purge-key.ts'

const withVersion = (target: VersionTarget, version: KeyVersion): VersionView => ({
  ...target,
  version,
  current: target.current?.id === version.id ? version : target.current,
})

/** A deletion of the whole key stands above its versions (docs/adr/007). */
export function checkKeyStays({ key }: Pick<KeyTarget, 'key'>): void {
  if (key.state === 'pending_deletion' || key.state === 'pending_replica_deletion') throw keyStateError(key.state)
}

/**
 * Schedules the destruction of one version's material.
 * @throws KmsError version_state unless enabled or disabled; key_pending_deletion
 */
export const destroyVersion = versionOperation<VersionInput, VersionView>({
  name: 'DestroyVersion',
  action: 'destroy-version',
  async run(env, target) {
    checkKeyStays(target)
    const { revision, ...old } = target.version
    const { destroyDelay, recoverableDays } = target.key
    const least = leastWait(env.ringSettings(target.ring), recoverableDays)
    const version = {
      ...toVersionState(old, 'destroy_scheduled', env.now),
      destroyAt: env.now + Math.max(destroyDelay, least),
    }
    return {
      output: withVersion(target, version),
      writes: [{ kind: 'update', collection: 'versions', row: version, revision }],
    }
  },
})

/** @throws KmsError version_state unless its destruction is scheduled; key_pending_deletion */
export const restoreVersion = versionOperation<VersionInput, VersionView>({
  name: 'RestoreVersion',
  action: 'restore-version',
  async run(env, target) {
    checkKeyStays(target)
    const { revision, destroyAt: _, ...old } = target.version
    if (old.state !== 'destroy_scheduled') throw new KmsError('version_state', { state: old.state })
    const version: KeyVersion = { ...toVersionState(old, 'disabled', env.now) }
    return {
      output: withVersion(target, version),
      writes: [{ kind: 'update', collection: 'versions', row: version, revision }],
    }
  },
})

/** The clock's own: material first, so that what is recorded as destroyed is. */
export const destroyDueVersion = versionOperation<VersionInput, VersionView>({
  name: 'DestroyDueVersion',
  action: 'destroy-version',
  async run(env, target) {
    const { version } = target
    const due = version.state === 'destroy_scheduled' && (version.destroyAt ?? Number.POSITIVE_INFINITY) <= env.now
    if (!due) return { output: target }
    const released = await destroyMaterial(env, target.ring, version)
    const { revision, spki: _, ...old } = version
    const destroyed = { ...toVersionState(old, 'destroyed', env.now), ref: new Uint8Array(0), destroyedAt: env.now }
    return {
      output: withVersion(target, destroyed),
      writes: [{ kind: 'update', collection: 'versions', row: destroyed, revision }, ...released],
    }
  },
})
