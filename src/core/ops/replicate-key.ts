import { randomUUID } from 'node:crypto'
import { KmsError } from '../error.ts'
import type { Key } from '../key.ts'
import { asReplica, checkPrimary, copyFor, membersOf, sharedFacts } from '../multi-region.ts'
import { type Env, type KeyInput, keyOperation, type RingTarget } from '../operation.ts'
import type { Write } from '../ports.ts'
import type { RealmAddress } from '../reference.ts'
import type { KeyView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'
import { dialectOf, keyTags } from './material.ts'

export type ReplicateKeyInput = KeyInput & {
  readonly realm: RealmAddress
  readonly description?: string | undefined
  /** The calling dialect's. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly awsPolicy?: string | undefined
}

/** Shared facts from the primary, everything else as of a new key. */
function replicaOf(env: Env, { realm, ring }: RingTarget, primary: Key, input: ReplicateKeyInput): Key {
  const { purpose, uses, backend, protection, origin, destroyDelay, multiRegion } = primary
  const id = randomUUID()
  const dialect = dialectOf(env)
  if (multiRegion === undefined) throw new KmsError('not_primary')
  return {
    ...{ purpose, uses, backend, protection, origin, destroyDelay },
    ...sharedFacts(primary),
    id,
    name: id,
    realmId: realm.id,
    ringId: ring.id,
    createdBy: dialect,
    createdAt: env.now,
    updatedAt: env.now,
    state: 'creating',
    settling: { to: origin === 'imported' ? 'pending_import' : 'enabled', since: env.now },
    description: input.description ?? '',
    tags: keyTags(dialect, input.tags ?? {}),
    ...(input.awsPolicy !== undefined && { awsPolicy: input.awsPolicy }),
    recoverableDays: env.ringSettings(ring).recoverableDays,
    multiRegion: asReplica(multiRegion),
  }
}

/**
 * A key of another realm with the same id and the same material, which is there some time after the answer. Imported
 * material is brought to it by itself.
 * @throws KmsError not_primary, key_exists, realm_not_found, key_disabled and the other state errors
 */
export const replicateKey = keyOperation<ReplicateKeyInput, KeyView>({
  name: 'ReplicateKey',
  action: 'replicate-key',
  states: ['enabled', 'pending_import'],
  async run(env, target, input) {
    const { revision, ...primary } = target.key
    if (primary.multiRegion === undefined) throw new KmsError('not_primary')
    checkPrimary(primary)
    const there = await env.elsewhere.ring(input.realm)
    await env.elsewhere.authorize('create-key', there)
    const { id } = primary.multiRegion
    const existing = await env.store.find('keys', 'multiRegion', [id, there.realm.id])
    if (existing !== undefined) throw new KmsError('key_exists', { reference: id })
    const key = replicaOf(env, there, primary, input)
    const versions = (await allVersions(env, primary.id)).map((row) => copyFor(key, unrevised(row), target.ring.id))
    const current = versions.find(({ number }) => number === key.current)
    const family = [{ realm: there.realm, key }, ...(await membersOf(env.store, target.realm, primary))]
    return {
      output: { ...there, key, current, family },
      writes: [
        // A new version of the primary and a new replica are rivals for its revision.
        { kind: 'update', collection: 'keys', row: primary, revision },
        { kind: 'insert', collection: 'keys', row: key },
        ...versions.map((row): Write => ({ kind: 'insert', collection: 'versions', row })),
      ],
    }
  },
})
