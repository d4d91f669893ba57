import { keyStateError, toKeyState, toVersionState } from '../key.ts'
import { type Env, type VersionInput, type VersionTarget, versionOperation } from '../operation.ts'
import type { Write } from '../ports.ts'
import type { VersionView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'
import { dialectOf } from './material.ts'

export type SetVersionEnabledInput = VersionInput & { readonly enabled: boolean }

/**
 * A key disabled as a whole shows all its versions as disabled. Enabling one of them enables the key and disables the
 * others in their own right, so that each version stays as it was shown (docs/adr/008).
 */
async function liftKey(env: Env, target: VersionTarget): Promise<readonly Write[]> {
  const { revision, ...key } = target.key
  const others = (await allVersions(env, key.id)).filter(
    (version) => version.id !== target.version.id && version.state === 'enabled',
  )
  return [
    { kind: 'update', collection: 'keys', row: toKeyState(key, 'enabled', env.now), revision },
    ...others.map((version): Write => {
      const row = { ...toVersionState(unrevised(version), 'disabled', env.now), disabledBy: dialectOf(env) }
      return { kind: 'update', collection: 'versions', row, revision: version.revision }
    }),
  ]
}

/** @throws KmsError key_pending_deletion, version_state */
export const setVersionEnabled = versionOperation<SetVersionEnabledInput, VersionView>({
  name: 'SetVersionEnabled',
  action: 'update-version',
  async run(env, target, { enabled }) {
    const { key, version } = target
    if (key.state !== 'enabled' && key.state !== 'disabled') throw keyStateError(key.state)
    const changed = toVersionState(unrevised(version), enabled ? 'enabled' : 'disabled', env.now)
    const row = enabled ? changed : { ...changed, disabledBy: dialectOf(env) }
    const writes: Write[] = [{ kind: 'update', collection: 'versions', row, revision: version.revision }]
    const lifts = enabled && key.state === 'disabled'
    if (lifts) writes.push(...(await liftKey(env, target)))
    const shown = lifts ? { ...key, state: 'enabled' as const } : key
    const current = target.current?.id === row.id ? row : target.current
    return { output: { ...target, key: shown, version: row, current }, writes }
  },
})
