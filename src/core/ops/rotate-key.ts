import { KmsError } from '../error.ts'
import { withMaterial } from '../imported.ts'
import { effectiveKeyState, type Key, type KeyVersion, keyStateError, materialExpiry, toVersionState } from '../key.ts'
import { checkPrimary, followers, following, relativesOf, updateOf } from '../multi-region.ts'
import { type Env, type KeyInput, type KeyTarget, keyOperation, type Outcome } from '../operation.ts'
import type { Stored, Write } from '../ports.ts'
import type { KeyView, VersionView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'
import { createVersionOf } from './create-version.ts'

/** Rotation for encryption alone: AWS and GCP rotate no other key. @throws KmsError unsupported_operation */
export function checkKind({ key }: Pick<KeyView, 'key'>, kind: RotatableKeys): void {
  if (kind === 'symmetric' && key.purpose !== 'encrypt_decrypt') {
    throw new KmsError('unsupported_operation', { spec: key.spec, usage: key.purpose })
  }
  if (kind === 'symmetric' && key.spec !== 'aes_256') throw new KmsError('unsupported_operation', { spec: key.spec })
}

/** @throws KmsError unsupported_operation */
export function checkRotatable(target: Pick<KeyView, 'key'>, kind: RotatableKeys): void {
  checkKind(target, kind)
  const { key } = target
  if (key.keyStore !== undefined)
    throw new KmsError('unsupported_operation', { origin: key.origin, store: key.keyStore.id })
  if (key.origin !== 'generated') throw new KmsError('unsupported_operation', { origin: key.origin })
}

export type RotatableKeys = 'symmetric' | 'any'

export type RotateKeyInput = KeyInput & {
  readonly kind: RotatableKeys
  /** AWS rotates enabled keys only. */
  readonly enabledOnly?: boolean | undefined
  /** Most rotations on demand that a key may have had; absent: no limit. */
  readonly limit?: number | undefined
  /** Refused to keys without a policy. */
  readonly policyOnly?: boolean | undefined
  /** Most versions that the key may have, this one included; absent: no limit. */
  readonly versionLimit?: number | undefined
  /** How near the next rotation by the clock may be, ms; absent: as near as it is. */
  readonly distance?: number | undefined
  /** An imported key moves on to the material that waits for it (AWS); absent: it does not rotate. */
  readonly toPending?: boolean | undefined
}

/**
 * A key that waits for material is refused for where that comes from (as recorded), with the checks that follow.
 * @throws KmsError for the state that a caller sees, unless that is enabled
 */
export function checkEnabled({ key, current }: KeyTarget): void {
  const state = effectiveKeyState(key, current)
  if (state !== 'enabled' && state !== 'pending_import') throw keyStateError(state)
}

/** The version that waits, with its material. @throws KmsError material_not_pending */
function waitingOf(versions: readonly Stored<KeyVersion>[], number: number | undefined, now: number) {
  const pending = versions.find((version) => version.number === number)
  const ready = pending !== undefined && pending.ref.length > 0
  if (!ready || (materialExpiry(pending) ?? Number.POSITIVE_INFINITY) <= now) throw new KmsError('material_not_pending')
  return pending
}

function moveOn(pending: Stored<KeyVersion>, now: number): KeyVersion {
  const { disabledBy: _, ...enabled } = toVersionState(unrevised(pending), 'enabled', now)
  return { ...enabled, rotation: 'on_demand', rotatedAt: now }
}

const replaced = (versions: readonly KeyVersion[], version: KeyVersion): readonly KeyVersion[] => [
  ...versions.filter(({ id }) => id !== version.id),
  version,
]

/** Replicas move on together with their primary, once each has the material. @throws KmsError material_not_pending */
async function followToPending(env: Env, primary: Key, before: Key): Promise<readonly Write[]> {
  const writes: Write[] = []
  for (const replica of await relativesOf(env.store, before)) {
    const versions = await allVersions(env, replica.id)
    const pending = waitingOf(versions, before.pendingVersion, env.now)
    const version = moveOn(pending, env.now)
    const row = withMaterial(following(unrevised(replica), primary), replaced(versions, version), env.now)
    writes.push(updateOf(row, replica))
    writes.push({ kind: 'update', collection: 'versions', row: version, revision: pending.revision })
  }
  return writes
}

/** Material that was imported for it becomes the key's current one. @throws KmsError material_not_pending */
async function rotateToPending(env: Env, target: KeyTarget): Promise<Outcome<VersionView>> {
  const { revision, pendingVersion, ...old } = target.key
  const versions = await allVersions(env, old.id)
  const pending = waitingOf(versions, pendingVersion, env.now)
  const version = moveOn(pending, env.now)
  const moved = { ...old, current: version.number, rotationsOnDemand: (old.rotationsOnDemand ?? 0) + 1 }
  const key = withMaterial(moved, replaced(versions, version), env.now)
  return {
    output: { ...target, key, version, current: version },
    writes: [
      { kind: 'update', collection: 'keys', row: key, revision },
      { kind: 'update', collection: 'versions', row: version, revision: pending.revision },
      ...(await followToPending(env, key, target.key)),
    ],
    subject: { key, version },
  }
}

/** @throws KmsError unsupported_operation, limit_exceeded, conflict */
async function checkLimits(env: Env, { key }: KeyTarget, input: RotateKeyInput): Promise<void> {
  const { policyOnly, versionLimit, limit, distance } = input
  if (policyOnly === true && key.rotation === undefined) {
    throw new KmsError('unsupported_operation', { spec: key.spec })
  }
  if (versionLimit !== undefined && (await env.store.count('versions', 'number', [key.id])) >= versionLimit) {
    throw new KmsError('limit_exceeded', { limit: `${versionLimit} versions` })
  }
  const { rotationsOnDemand: demanded = 0, nextRotationAt: next } = key
  if (distance !== undefined && next !== undefined && next - env.now <= distance) throw new KmsError('conflict')
  if (limit !== undefined && demanded >= limit) throw new KmsError('limit_exceeded', { limit })
}

/**
 * A new current version, at once.
 * @throws KmsError unsupported_operation, material_not_pending, limit_exceeded, conflict with the clock's rotation,
 *   key_disabled and the other state errors
 */
export const rotateKey = keyOperation<RotateKeyInput, VersionView>({
  name: 'RotateKey',
  action: 'rotate-key',
  states: ['enabled', 'disabled', 'unavailable', 'pending_import'],
  async run(env, target, input) {
    if (input.enabledOnly === true) checkEnabled(target)
    const imported = input.toPending === true && target.key.origin === 'imported' && target.key.state === 'enabled'
    if (imported) checkKind(target, input.kind)
    else checkRotatable(target, input.kind)
    checkPrimary(target.key)
    await checkLimits(env, target, input)
    if (imported) return rotateToPending(env, target)
    return createVersionOf(env, target, { makeCurrent: true, rotation: 'on_demand' })
  },
})

export type RotateWornKeyInput = KeyInput & { /** Of the version that is worn. */ readonly worn: number }

/**
 * For a version that has made most of the messages that it may; another one may have taken its place already.
 * @throws KmsError unsupported_operation for keys whose material is not made here
 */
export const rotateWornKey = keyOperation<RotateWornKeyInput, KeyView>({
  name: 'RotateWornKey',
  action: 'rotate-key',
  states: ['enabled'],
  async run(env, target, { worn }) {
    if (target.key.current !== worn) return { output: target }
    checkRotatable(target, 'any')
    return createVersionOf(env, target, { makeCurrent: true, rotation: 'automatic' })
  },
})

/** The clock's own. A key that can't rotate any more loses its date, so that it does not fall due for ever. */
export const rotateDueKey = keyOperation<KeyInput, KeyView>({
  name: 'RotateDueKey',
  action: 'rotate-key',
  async run(env, target) {
    const { revision, nextRotationAt, ...rest } = target.key
    if (nextRotationAt === undefined || nextRotationAt > env.now || rest.state !== 'enabled') return { output: target }
    if (rest.origin === 'generated') {
      return createVersionOf(env, target, { makeCurrent: true, rotation: 'automatic' })
    }
    return {
      output: target,
      writes: [{ kind: 'update', collection: 'keys', row: rest, revision }, ...(await followers(env.store, rest))],
    }
  },
})
