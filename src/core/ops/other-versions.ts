import type { KeyVersion } from '../key.ts'
import type { Env, UseTarget } from '../operation.ts'

/** Bounds the work of one request on a key with a long history. */
const MAX_TRIED = 100

/** The enabled versions of the target's key besides its own, newest first: AWS verifies and decrypts with any of them. */
export async function otherVersions(env: Env, target: UseTarget): Promise<readonly KeyVersion[]> {
  if (env.call.dialect !== 'aws' || target.key.versionCounter < 2) return []
  const { rows } = await env.store.page('versions', 'number', [target.key.id], undefined, MAX_TRIED)
  return rows.filter((version) => version.state === 'enabled' && version.id !== target.version.id).reverse()
}
