import { KmsError } from '../error.ts'
import type { Key, KeyVersion, RotationKind } from '../key.ts'
import { checkPrimary, replicated } from '../multi-region.ts'
import { type Env, type KeyInput, type KeyTarget, keyOperation, type Outcome } from '../operation.ts'
import { addDuration, nextRotation } from '../rotation.ts'
import type { VersionView } from '../view.ts'
import { makeVersion, type VersionOptions } from './material.ts'

export type CreateVersionInput = KeyInput & {
  /** Whether the new version signs and encrypts from now on. GCP leaves its primary where it is. */
  readonly makeCurrent: boolean
  readonly version?: VersionOptions | undefined
  /** How a version that becomes current came about; default on demand. */
  readonly rotation?: RotationKind | undefined
}

/** `patch`: what else changes on the key with its new version. */
export async function createVersionOf(
  env: Env,
  target: KeyTarget,
  input: Omit<CreateVersionInput, 'key'>,
  patch: Partial<Key> = {},
): Promise<Outcome<VersionView>> {
  const { revision, ...old } = target.key
  checkPrimary(old)
  // No rotation in any dialect generates material for an imported key (design section 1); a custom key store's keys have one.
  const fixed = old.keyStore !== undefined || (old.origin !== 'generated' && input.version?.material === undefined)
  if (fixed) throw new KmsError('usage_mismatch', { usage: old.origin, operation: 'CreateVersion' })
  const number = old.versionCounter + 1
  // An asymmetric key has no primary in GCP: its first version is the only one the other dialects could use.
  const first = old.current === 0 && old.purpose !== 'encrypt_decrypt'
  const current = input.makeCurrent || first ? number : old.current
  const changed: Key = {
    ...(current === number ? ownTemplate(old) : old),
    ...patch,
    versionCounter: number,
    current,
    updatedAt: env.now,
  }
  const { version: made, undo } = await makeVersion(env, target.ring, { ...changed, ...changed.template }, number, {
    ...inherited(target.current),
    ...withLifetime(env, changed, input),
  })
  const rotated = input.makeCurrent && old.current !== 0
  const version: KeyVersion = rotated ? { ...made, rotation: input.rotation ?? 'on_demand' } : made
  const key = input.makeCurrent ? rotatedKey(env, changed, version, input.rotation === 'automatic') : changed
  const view = { realm: target.realm, ring: target.ring, key, version }
  return {
    output: { ...view, current: current === number ? version : target.current },
    writes: [
      { kind: 'update', collection: 'keys', row: key, revision },
      { kind: 'insert', collection: 'versions', row: version },
      ...(await replicated(env.store, key, version)),
    ],
    undo,
    subject: { key, version },
  }
}

/** The key of a version that is made by its template and becomes the current one. */
function ownTemplate({ template, ...key }: Key): Key {
  if (template === undefined) return key
  const { algorithms: _, ...rest } = key
  return { ...rest, ...template }
}

/** What a new version takes over from the current one. */
const inherited = (current: KeyVersion | undefined): VersionOptions => ({ uses: current?.uses, tags: current?.tags })

/** The policy's lifetime ends a new version where the caller gave no date. */
function withLifetime(env: Env, key: Key, input: Omit<CreateVersionInput, 'key'>) {
  const lifetime = key.rotation?.lifetime
  if (lifetime === undefined || input.version?.expiresAt !== undefined) return input.version ?? {}
  return { ...input.version, expiresAt: addDuration(env.now, lifetime) }
}

/** What a new current version changes of its key: the count of rotations on demand, and the date of the next. */
function rotatedKey(env: Env, key: Key, version: KeyVersion, scheduled: boolean): Key {
  const { nextRotationAt: _, ...rest } = key
  const next = nextRotation(key, version, scheduled, env.now)
  return {
    ...rest,
    ...(next !== undefined && { nextRotationAt: next }),
    ...(version.rotation === 'on_demand' && { rotationsOnDemand: (key.rotationsOnDemand ?? 0) + 1 }),
  }
}

/** @throws KmsError key_disabled and the other state errors */
export const createVersion = keyOperation<CreateVersionInput, VersionView>({
  name: 'CreateVersion',
  action: 'create-version',
  states: ['enabled', 'disabled', 'unavailable'],
  run: (env, target, input) => createVersionOf(env, target, input),
})
