import { KmsError } from '../error.ts'
import type { Key } from '../key.ts'
import { type VersionInput, type VersionTarget, versionOperation } from '../operation.ts'
import type { Write } from '../ports.ts'
import type { VersionView } from '../view.ts'
import { checkKeyStays } from './destroy-version.ts'
import { removeCounts } from './purge-key.ts'

const DELETABLE: readonly string[] = ['destroyed', 'import_failed', 'generation_failed']

/** @throws KmsError version_state, version_imported */
function checkVersion({ key, version }: VersionTarget): void {
  if (!DELETABLE.includes(version.state)) throw new KmsError('version_state', { state: version.state })
  if (key.origin === 'imported' && version.state === 'destroyed') throw new KmsError('version_imported')
}

/** The key is written even if it stays as it is: its deletion and a new version are rivals for its revision. */
function keyWithout({ key, version }: VersionTarget, now: number): Write {
  const { revision, ...old } = key
  const row: Key = { ...old, current: old.current === version.number ? 0 : old.current, updatedAt: now }
  return { kind: 'update', collection: 'keys', row, revision }
}

/**
 * GCP's deletion of a version whose material is gone already. Its number is not used again: the key keeps the counter.
 * @throws KmsError version_state, version_imported, key_pending_deletion
 */
export const deleteVersion = versionOperation<VersionInput, VersionView>({
  name: 'DeleteVersion',
  action: 'delete-version',
  async run(env, target) {
    checkKeyStays(target)
    checkVersion(target)
    const { id, revision } = target.version
    return {
      output: target,
      writes: [
        keyWithout(target, env.now),
        { kind: 'delete', collection: 'versions', id, revision },
        ...(await removeCounts(env, [target.version])),
      ],
    }
  },
})
