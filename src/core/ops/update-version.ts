import type { KeyUse } from '../algorithm.ts'
import { invalidArgument } from '../error.ts'
import type { Key, KeyVersion } from '../key.ts'
import { type VersionInput, versionOperation } from '../operation.ts'
import type { Write } from '../ports.ts'
import { nextRotation } from '../rotation.ts'
import type { VersionView } from '../view.ts'
import { unrevised } from './all-versions.ts'
import { checkUsesOf } from './put-key.ts'
import { changeEnabled, type EnabledChange, keyUpdate } from './set-version-enabled.ts'

/** What is absent stays as it is. */
export type UpdateVersionInput = VersionInput & {
  readonly enabled?: boolean | undefined
  readonly notBefore?: number | undefined
  readonly expiresAt?: number | undefined
  readonly uses?: readonly KeyUse[] | ((key: Key) => readonly KeyUse[]) | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** A rotation that counts back from the current version's expiry moves with it. */
function withNextRotation(key: Key, version: KeyVersion, now: number): Key {
  if (key.current !== version.number || key.rotation?.anchor !== 'version') return key
  const { nextRotationAt: _, ...rest } = key
  const next = nextRotation(key, version, false, now)
  return { ...rest, ...(next !== undefined && { nextRotationAt: next }) }
}

/**
 * Changes a version's dates, state, uses and tags in one step.
 * @throws KmsError version_disabled and the other state errors, invalid_argument for uses the key can't have
 */
export const updateVersion = versionOperation<UpdateVersionInput, VersionView>({
  name: 'UpdateVersion',
  action: 'update-version',
  keyStates: ['enabled', 'disabled', 'unavailable'],
  states: ['enabled', 'disabled'],
  async run(env, target, { enabled, notBefore, expiresAt, uses: named, tags }) {
    const uses = typeof named === 'function' ? named(target.key) : named
    if (uses !== undefined) checkUsesOf(env, target.key, uses)
    const change: EnabledChange =
      enabled === undefined
        ? { version: unrevised(target.version), key: undefined, others: [] }
        : await changeEnabled(env, target, enabled)
    const version: KeyVersion = {
      ...change.version,
      updatedAt: env.now,
      ...(uses !== undefined && { uses }),
      ...(tags !== undefined && { tags }),
      ...(notBefore !== undefined && { notBefore }),
      ...(expiresAt !== undefined && { expiresAt }),
    }
    if ((version.expiresAt ?? Number.POSITIVE_INFINITY) <= (version.notBefore ?? 0)) {
      throw invalidArgument('exp', 'must be later than nbf')
    }
    const old: Key = change.key ?? unrevised(target.key)
    const key = { ...withNextRotation(old, version, env.now), updatedAt: env.now }
    const writes: Write[] = [
      { kind: 'update', collection: 'versions', row: version, revision: target.version.revision },
      keyUpdate(key, target.key),
      ...change.others,
    ]
    const current = target.current?.id === version.id ? version : target.current
    return { output: { ...target, key, version, current }, writes }
  },
})
