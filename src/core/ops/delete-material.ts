import { KmsError } from '../error.ts'
import { withMaterial } from '../imported.ts'
import { type Key, type KeyVersion, materialExpiry, toVersionState } from '../key.ts'
import { followers, relativesOf } from '../multi-region.ts'
import {
  type Env,
  type KeyInput,
  type KeyTarget,
  keyOperation,
  type Outcome,
  type VersionInput,
  versionOperation,
} from '../operation.ts'
import type { Stored, Write } from '../ports.ts'
import type { KeyView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'
import { disabler } from './import-material.ts'
import { checkImportable } from './import-parameters.ts'
import { destroyMaterial, removeCounts } from './purge-key.ts'

export type DeletedMaterial = KeyView & {
  /** Absent where there was none to delete. */
  readonly version?: KeyVersion
}

/** What remains of a version when its material goes: one whose destruction waits is destroyed, any other may come again. */
function withoutMaterial({ spki, ...old }: KeyVersion, now: number): KeyVersion {
  const empty = { ref: new Uint8Array(0), imported: { description: old.imported?.description } }
  if (old.state === 'destroy_scheduled') return { ...toVersionState(old, 'destroyed', now), ...empty, destroyedAt: now }
  return { ...toVersionState(old, 'pending_import', now), ...empty, ...disabler(old), ...(spki && { spki }) }
}

async function removeVersion(env: Env, ringId: string, version: Stored<KeyVersion>): Promise<readonly Write[]> {
  const released = await destroyMaterial(env, { id: ringId }, version)
  const { id, revision } = version
  return [
    { kind: 'delete', collection: 'versions', id, revision },
    ...released,
    ...(await removeCounts(env, [version])),
  ]
}

/** Material that never was current leaves nothing behind, in its replicas neither. */
async function forgetPending(
  env: Env,
  target: KeyTarget,
  version: Stored<KeyVersion>,
): Promise<Outcome<DeletedMaterial>> {
  const { pendingVersion, ...old } = unrevised(target.key)
  const versions = (await allVersions(env, old.id)).filter(({ id }) => id !== version.id)
  const key = withMaterial(old, versions, env.now)
  const writes = [...(await removeVersion(env, target.ring.id, version)), ...(await followers(env.store, key))]
  for (const replica of await relativesOf(env.store, key)) {
    const copies = await allVersions(env, replica.id)
    const copy = copies.find(({ number }) => number === pendingVersion)
    if (copy !== undefined) writes.push(...(await removeVersion(env, replica.ringId, copy)))
  }
  return outcomeOf(target, key, version, writes)
}

/** Material first, so that what is recorded as gone is. */
async function takeAway(env: Env, target: KeyTarget, version: Stored<KeyVersion>): Promise<Outcome<DeletedMaterial>> {
  const old = unrevised(target.key)
  if (old.pendingVersion === version.number && old.multiRegion?.role !== 'replica')
    return forgetPending(env, target, version)
  const released = await destroyMaterial(env, target.ring, version)
  const versions = (await allVersions(env, old.id)).filter(({ id }) => id !== version.id)
  const row = withoutMaterial(unrevised(version), env.now)
  const write: Write = { kind: 'update', collection: 'versions', row, revision: version.revision }
  return outcomeOf(target, withMaterial(old, [...versions, row], env.now), row, [write, ...released])
}

function outcomeOf(
  target: KeyTarget,
  key: Key,
  version: KeyVersion,
  writes: readonly Write[],
): Outcome<DeletedMaterial> {
  const current = target.current?.id === version.id ? version : target.current
  return {
    output: { ...target, key, current, version },
    writes: [{ kind: 'update', collection: 'keys', row: key, revision: target.key.revision }, ...writes],
    subject: { key, version },
  }
}

async function versionToDelete(env: Env, target: KeyTarget, materialId: string | undefined) {
  if (materialId === undefined) return target.current
  const found = (await allVersions(env, target.key.id)).find((version) => version.materialId === materialId)
  if (found === undefined) throw new KmsError('material_not_found', { material: materialId })
  return found
}

/**
 * Takes imported material away, so that the key can't be used until the same material is imported again. The state of a
 * key that waits for its deletion stays.
 * @throws KmsError unsupported_operation, material_not_found
 */
export const deleteMaterial = keyOperation<KeyInput & { readonly materialId?: string | undefined }, DeletedMaterial>({
  name: 'DeleteMaterial',
  action: 'delete-material',
  async run(env, target, { materialId }) {
    checkImportable(target.key)
    const version = await versionToDelete(env, target, materialId)
    if (version === undefined) return { output: target }
    if (version.ref.length === 0) return { output: { ...target, version } }
    // Generated before the key was given material from outside (Azure): it could not be brought again.
    if (version.imported === undefined) throw new KmsError('unsupported_operation', { origin: 'generated' })
    return takeAway(env, target, version)
  },
})

/** The clock's own, when imported material expires. */
export const expireMaterial = versionOperation<VersionInput, DeletedMaterial>({
  name: 'ExpireMaterial',
  action: 'delete-material',
  async run(env, target) {
    const at = materialExpiry(target.version)
    return at !== undefined && at <= env.now ? takeAway(env, target, target.version) : { output: target }
  },
})
