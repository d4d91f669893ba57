import { KmsError } from '../error.ts'
import { type Key, type KeyVersion, keyStateError, toKeyState, toVersionState } from '../key.ts'
import { type Env, type VersionInput, type VersionTarget, versionOperation } from '../operation.ts'
import type { Stored, Write } from '../ports.ts'
import type { VersionView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'
import { dialectOf } from './material.ts'

export type SetVersionEnabledInput = VersionInput & { readonly enabled: boolean }

/** What enabling or disabling a version changes. */
export type EnabledChange = {
  readonly version: KeyVersion
  /** The key, where it was disabled as a whole and is lifted with its version. */
  readonly key: Key | undefined
  readonly others: readonly Write[]
}

/**
 * A key disabled as a whole shows all its versions as disabled. Enabling one of them enables the key and disables the
 * others in their own right, so that each version stays as it was shown (docs/adr/008).
 */
async function disableOthers(env: Env, target: VersionTarget): Promise<readonly Write[]> {
  const versions = await allVersions(env, target.key.id)
  return versions
    .filter((version) => version.id !== target.version.id && version.state === 'enabled')
    .map((version): Write => {
      const row = { ...toVersionState(unrevised(version), 'disabled', env.now), disabledBy: dialectOf(env) }
      return { kind: 'update', collection: 'versions', row, revision: version.revision }
    })
}

/** @throws KmsError key_pending_deletion, version_state */
export async function changeEnabled(env: Env, target: VersionTarget, enabled: boolean): Promise<EnabledChange> {
  const { key } = target
  if (key.state !== 'enabled' && key.state !== 'disabled') throw keyStateError(key.state)
  const { state } = target.version
  // The way back from a scheduled destruction is its own operation, which takes the date away too.
  if (state !== 'enabled' && state !== 'disabled') throw new KmsError('version_state', { state })
  const changed = toVersionState(unrevised(target.version), enabled ? 'enabled' : 'disabled', env.now)
  const version = enabled ? changed : { ...changed, disabledBy: dialectOf(env) }
  if (!enabled || key.state !== 'disabled') return { version, key: undefined, others: [] }
  return {
    version,
    key: toKeyState(unrevised(key), 'enabled', env.now),
    others: await disableOthers(env, target),
  }
}

export const keyUpdate = (row: Key, { revision }: Stored<Key>): Write => ({
  kind: 'update',
  collection: 'keys',
  row,
  revision,
})

/** @throws KmsError key_pending_deletion, version_state */
export const setVersionEnabled = versionOperation<SetVersionEnabledInput, VersionView>({
  name: 'SetVersionEnabled',
  action: 'update-version',
  async run(env, target, { enabled }) {
    const { version, key, others } = await changeEnabled(env, target, enabled)
    const writes: Write[] = [
      { kind: 'update', collection: 'versions', row: version, revision: target.version.revision },
      ...(key === undefined ? [] : [keyUpdate(key, target.key)]),
      ...others,
    ]
    const current = target.current?.id === version.id ? version : target.current
    return { output: { ...target, key: key ?? target.key, version, current }, writes }
  },
})
