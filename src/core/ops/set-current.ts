import { type Key, keyStateError, versionStateError } from '../key.ts'
import { checkPrimary, followers } from '../multi-region.ts'
import { type VersionInput, versionOperation } from '../operation.ts'
import { nextRotation } from '../rotation.ts'
import type { KeyView } from '../view.ts'
import { checkKind } from './rotate-key.ts'

/**
 * Makes an enabled version of a symmetric encryption key the one that encrypts.
 * @throws KmsError unsupported_operation, and the errors of the states that a key or a version can't encrypt in
 */
export const setCurrent = versionOperation<VersionInput, KeyView>({
  name: 'SetCurrent',
  action: 'update-key',
  async run(env, target) {
    checkKind(target, 'symmetric')
    checkPrimary(target.key)
    const { version } = target
    const { revision, nextRotationAt: _, pendingVersion, ...old } = target.key
    if (old.state !== 'enabled') throw keyStateError(old.state)
    if (version.state !== 'enabled') throw versionStateError(version.state)
    const next = nextRotation(target.key, version, false, env.now)
    const key: Key = {
      ...old,
      current: version.number,
      ...(pendingVersion !== undefined && pendingVersion !== version.number && { pendingVersion }),
      updatedAt: env.now,
      ...(next !== undefined && { nextRotationAt: next }),
    }
    return {
      output: { ...target, key, current: version },
      writes: [{ kind: 'update', collection: 'keys', row: key, revision }, ...(await followers(env.store, key))],
    }
  },
})
