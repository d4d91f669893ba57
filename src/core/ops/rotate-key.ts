import { KmsError } from '../error.ts'
import { effectiveKeyState, keyStateError } from '../key.ts'
import { type KeyInput, type KeyTarget, keyOperation } from '../operation.ts'
import type { KeyView, VersionView } from '../view.ts'
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
}

/** @throws KmsError for the state that a caller sees, unless that is enabled */
export function checkEnabled({ key, current }: KeyTarget): void {
  const state = effectiveKeyState(key, current)
  if (state !== 'enabled') throw keyStateError(state)
}

/**
 * A new current version, at once.
 * @throws KmsError unsupported_operation, limit_exceeded, conflict with the clock's rotation, key_disabled and the other
 *   state errors
 */
export const rotateKey = keyOperation<RotateKeyInput, VersionView>({
  name: 'RotateKey',
  action: 'rotate-key',
  states: ['enabled', 'disabled', 'unavailable'],
  async run(env, target, { kind, enabledOnly, policyOnly, versionLimit, limit, distance }) {
    if (enabledOnly === true) checkEnabled(target)
    checkRotatable(target, kind)
    if (policyOnly === true && target.key.rotation === undefined) {
      throw new KmsError('unsupported_operation', { spec: target.key.spec })
    }
    if (versionLimit !== undefined && (await env.store.count('versions', 'number', [target.key.id])) >= versionLimit) {
      throw new KmsError('limit_exceeded', { limit: `${versionLimit} versions` })
    }
    const { rotationsOnDemand: demanded = 0, nextRotationAt: next } = target.key
    if (distance !== undefined && next !== undefined && next - env.now <= distance) throw new KmsError('conflict')
    if (limit !== undefined && demanded >= limit) throw new KmsError('limit_exceeded', { limit })
    return createVersionOf(env, target, { makeCurrent: true, rotation: 'on_demand' })
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
    return { output: target, writes: [{ kind: 'update', collection: 'keys', row: rest, revision }] }
  },
})
