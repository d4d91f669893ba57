import { randomUUID } from 'node:crypto'
import { isAsymmetric } from '../algorithm.ts'
import { invalidArgument, KmsError } from '../error.ts'
import type { Alias, Key } from '../key.ts'
import {
  type Env,
  type KeyInput,
  type KeyTarget,
  keyOperation,
  type RealmTarget,
  realmOperation,
} from '../operation.ts'
import { checkKeyStays } from './destroy-version.ts'
import type { Paging } from './list-keys.ts'
import { unchanged } from './unchanged-key.ts'

/** `alias` with its `alias/` prefix, everywhere in this file. */
export type AliasInput = KeyInput & {
  readonly alias: string
  /** Most aliases that a key may have; absent: no limit. */
  readonly limit?: number | undefined
}

/** @throws KmsError limit_exceeded */
async function checkRoom({ store }: Env, { id }: Key, limit: number | undefined): Promise<void> {
  if (limit === undefined || (await store.count('aliases', 'key', [id])) < limit) return
  throw new KmsError('limit_exceeded', { limit: `${limit} aliases of a key` })
}

/** @throws KmsError alias_exists, key_pending_deletion, limit_exceeded */
export const createAlias = keyOperation<AliasInput, KeyTarget>({
  name: 'CreateAlias',
  action: 'create-alias',
  async run(env, target, { alias: name, limit }) {
    const { realm, key } = target
    // An alias of a key in any other state is of use; one that waits for its deletion is not (as AWS answers).
    checkKeyStays({ key })
    if ((await env.store.find('aliases', 'name', [realm.id, name])) !== undefined) {
      throw new KmsError('alias_exists', { reference: name })
    }
    await checkRoom(env, key, limit)
    const row: Alias = {
      id: randomUUID(),
      realmId: realm.id,
      name,
      keyId: key.id,
      createdAt: env.now,
      updatedAt: env.now,
    }
    return { output: target, writes: [unchanged(target), { kind: 'insert', collection: 'aliases', row }] }
  },
})

/** Aliases stand for one sort of key, so that what uses them goes on working (as AWS has it). */
const sameSort = (a: Key, b: Key): boolean => a.purpose === b.purpose && isAsymmetric(a.spec) === isAsymmetric(b.spec)

/**
 * Points an alias at another key; what it pointed at may be in any state.
 * @throws KmsError alias_not_found, key_pending_deletion, limit_exceeded, invalid_argument where the keys are of
 *   different sorts
 */
export const updateAlias = keyOperation<AliasInput, KeyTarget>({
  name: 'UpdateAlias',
  action: 'update-alias',
  async run(env, target, { alias: name, limit }) {
    const { realm, key } = target
    checkKeyStays({ key })
    const alias = await env.store.find('aliases', 'name', [realm.id, name])
    if (alias === undefined) throw new KmsError('alias_not_found', { reference: name })
    const old = await env.store.get('keys', alias.keyId)
    if (old !== undefined && !sameSort(old, key))
      throw invalidArgument('key', `its type or use is not that of the key that ${name} stands for`)
    if (alias.keyId !== key.id) await checkRoom(env, key, limit)
    const { revision, ...rest } = alias
    const row: Alias = { ...rest, keyId: key.id, updatedAt: env.now }
    return { output: target, writes: [unchanged(target), { kind: 'update', collection: 'aliases', row, revision }] }
  },
})

/** @throws KmsError alias_not_found */
export const deleteAlias = realmOperation<{ readonly alias: string }, Alias>({
  name: 'DeleteAlias',
  action: 'delete-alias',
  async run(env, { realm }, { alias: name }) {
    const alias = await env.store.find('aliases', 'name', [realm.id, name])
    if (alias === undefined) throw new KmsError('alias_not_found', { reference: name })
    return {
      output: alias,
      writes: [{ kind: 'delete', collection: 'aliases', id: alias.id, revision: alias.revision }],
    }
  },
})

export type AliasList = RealmTarget & {
  readonly aliases: readonly { readonly alias: Alias; readonly key: Key | undefined }[]
  readonly next?: string
}

/** Every alias of the realm, by name. */
export const listAliases = realmOperation<Paging, AliasList>({
  name: 'ListAliases',
  action: 'list-aliases',
  async run({ store }, target, { after, limit }) {
    const { rows, next } = await store.page('aliases', 'name', [target.realm.id], after, limit)
    const aliases = await Promise.all(rows.map(async (alias) => ({ alias, key: await store.get('keys', alias.keyId) })))
    return { output: { ...target, aliases, ...(next !== undefined && { next }) } }
  },
})

/** The aliases of one key, by name. */
export const listKeyAliases = keyOperation<KeyInput & Paging, AliasList>({
  name: 'ListKeyAliases',
  action: 'list-aliases',
  async run({ store }, target, { after, limit }) {
    const { rows, next } = await store.page('aliases', 'key', [target.key.id], after, limit)
    const aliases = rows.map((alias) => ({ alias, key: target.key }))
    return { output: { realm: target.realm, aliases, ...(next !== undefined && { next }) } }
  },
})
