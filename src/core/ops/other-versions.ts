import { KmsError } from '../error.ts'
import type { Eventually } from '../eventually.ts'
import { type KeyVersion, usesOfVersion } from '../key.ts'
import type { Call, Env, UseTarget } from '../operation.ts'
import type { VersionReference } from '../reference.ts'

const ANY_VERSION: ReadonlySet<Call['dialect']> = new Set(['aws', 'ekm'])
/** Bounds the work of one request on a key with a long history. */
const MAX_TRIED = 100

/**
 * The enabled versions of the target's key besides its own that may do the same, newest first: AWS verifies and decrypts
 * with any of them, and who calls an external key manager knows no versions.
 */
export async function otherVersions(env: Env, target: UseTarget): Promise<readonly KeyVersion[]> {
  if (!ANY_VERSION.has(env.call.dialect) || target.key.versionCounter < 2) return []
  const { rows } = await env.store.page('versions', 'number', [target.key.id], undefined, MAX_TRIED)
  const able = (version: KeyVersion): boolean =>
    version.state === 'enabled' && usesOfVersion(target.key, version).includes(target.use)
  return rows.filter((version) => version.id !== target.version.id && able(version)).reverse()
}

/**
 * Opens what does not name its version, but tells whether it was under the one that is tried: without one asked for, every
 * enabled version is, the newest first.
 */
export async function openWithAny(
  env: Env,
  target: UseTarget,
  asked: VersionReference | undefined,
  attempt: (version: KeyVersion) => Eventually<Uint8Array>,
): Promise<{ readonly version: KeyVersion; readonly plaintext: Uint8Array }> {
  try {
    return { version: target.version, plaintext: await attempt(target.version) }
  } catch (error) {
    if (asked !== undefined || KmsError.from(error).code !== 'invalid_ciphertext') throw error
    for (const version of await otherVersions(env, target)) {
      try {
        return { version, plaintext: await attempt(version) }
      } catch (cause) {
        if (KmsError.from(cause).code !== 'invalid_ciphertext') throw cause
      }
    }
    throw error
  }
}
