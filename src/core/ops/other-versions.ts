import { type KeyVersion, usesOfVersion } from '../key.ts'
import type { Env, UseTarget } from '../operation.ts'

/** Bounds the work of one request on a key with a long history. */
const MAX_TRIED = 100

/**
 * The enabled versions of the target's key besides its own that may do the same, newest first: AWS verifies and decrypts
 * with any of them.
 */
export async function otherVersions(env: Env, target: UseTarget): Promise<readonly KeyVersion[]> {
  if (env.call.dialect !== 'aws' || target.key.versionCounter < 2) return []
  const { rows } = await env.store.page('versions', 'number', [target.key.id], undefined, MAX_TRIED)
  const able = (version: KeyVersion): boolean =>
    version.state === 'enabled' && usesOfVersion(target.key, version).includes(target.use)
  return rows.filter((version) => version.id !== target.version.id && able(version)).reverse()
}
