import { type KeyUse, mixesPurposes, purposeOf, purposesOf, usesOf } from '../algorithm.ts'
import { invalidArgument, KmsError } from '../error.ts'
import type { Key } from '../key.ts'
import { type Env, type KeyTarget, type Outcome, type RingTarget, ringOperation } from '../operation.ts'
import { foldName } from '../schema.ts'
import type { KeyView } from '../view.ts'
import { type CreateKeyInput, createKeyIn } from './create-key.ts'
import { createVersionOf } from './create-version.ts'

export type PutKeyInput = CreateKeyInput & {
  readonly name: string
  /** What a new version may do where `uses` is absent; on another dialect's key, what that key may. */
  readonly defaultUses: readonly KeyUse[]
}

/** A key is one spec in one place; another dialect's key can't be given uses it was not made with (design section 1). */
function checkSameKind(env: Env, key: Key, input: PutKeyInput): void {
  if (key.spec !== input.spec) throw invalidArgument('kty', `key ${key.name} is ${key.spec}`)
  if (!mixesPurposes(key.spec) && key.purpose !== purposeOf(input.uses ?? input.defaultUses, key.spec)) {
    throw invalidArgument('kty', `key ${key.name} is for ${key.purpose}`)
  }
  if (input.protection !== undefined && key.protection !== input.protection) {
    throw invalidArgument('kty', `key ${key.name} is protected by ${key.protection}`)
  }
  if (input.uses !== undefined) checkUsesOf(env, key, input.uses)
}

/** @throws KmsError invalid_argument for a use that the spec can't have, or that the key was not made with elsewhere */
export function checkUsesOf(env: Env, key: Key, uses: readonly KeyUse[]): void {
  const purposes = mixesPurposes(key.spec) ? purposesOf(key.spec) : [key.purpose]
  const able = purposes.flatMap((purpose) => usesOf(purpose, key.spec))
  if (uses.some((use) => !able.includes(use))) throw invalidArgument('key_ops', `not all are operations of ${key.spec}`)
  const added = uses.some((use) => !key.uses.includes(use))
  if (added && key.createdBy !== env.call.dialect)
    throw invalidArgument('key_ops', `key ${key.name} has other operations`)
}

/**
 * Material may be imported into a key of one's own dialect that was generated, which is an imported key from then on;
 * another dialect fixes the origin at creation.
 */
function withOrigin(env: Env, key: Key, { version }: PutKeyInput): Partial<Key> {
  if (version?.material === undefined || key.origin === 'imported') return {}
  if (key.createdBy !== env.call.dialect || key.origin === 'external') {
    throw invalidArgument('key', `key ${key.name} takes no imported material`)
  }
  return { origin: 'imported' }
}

async function newVersion(env: Env, target: RingTarget, key: KeyTarget['key'], input: PutKeyInput) {
  if (key.state === 'pending_deletion') throw new KmsError('key_deleted', { reference: key.name })
  checkSameKind(env, key, input)
  const keyTarget: KeyTarget = { ...target, key, current: undefined }
  const own = key.createdBy === env.call.dialect ? input.defaultUses : key.uses
  const version = { ...input.version, uses: input.uses ?? own, tags: input.tags ?? {} }
  return createVersionOf(env, keyTarget, { makeCurrent: true, version }, withOrigin(env, key, input))
}

/** A new key, or a new current version of the key that has the name: for import-key as well. */
export async function putKeyIn(env: Env, target: RingTarget, input: PutKeyInput): Promise<Outcome<KeyView>> {
  const key = await env.store.find('keys', 'name', [target.ring.id, foldName(input.name)])
  if (key !== undefined) return newVersion(env, target, key, input)
  const { tags = {}, uses = input.defaultUses, version, ...rest } = input
  return createKeyIn(env, target, { ...rest, uses, version: { ...version, uses, tags } })
}

/**
 * Azure's create: a new key, or a new current version of the key that has the name.
 * @throws KmsError key_deleted, name_reserved, unsupported_spec, invalid_argument
 */
export const putKey = ringOperation<PutKeyInput, KeyView>({
  name: 'PutKey',
  action: 'create-key',
  existing: ({ name }) => ({ key: name }),
  run: putKeyIn,
})
