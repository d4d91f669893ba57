import { randomUUID } from 'node:crypto'
import { type KeySpec, type KeyUse, mixesPurposes, type Purpose, purposeOf, purposesOf, usesOf } from '../algorithm.ts'
import { invalidArgument, KmsError } from '../error.ts'
import { type Key, type KeyVersion, UUID } from '../key.ts'
import type { KeyStore, KeyStoreMembership } from '../key-store.ts'
import { newMultiRegionId } from '../multi-region.ts'
import { type Env, type Outcome, type RingInput, type RingTarget, ringOperation } from '../operation.ts'
import type { CryptoBackend, Stored, Write } from '../ports.ts'
import { type Schedule, scheduled } from '../rotation.ts'
import { foldName } from '../schema.ts'
import type { KeyView } from '../view.ts'
import { storeForKey, type WantedKeyStore } from './key-stores.ts'
import { checkSpec, dialectOf, keyTags, makeVersion, type NewVersion, type VersionOptions } from './material.ts'

const DAY = 86_400_000
/** Google's default waiting time of a version's destruction. */
const DESTROY_DELAY = 30 * DAY

export type CreateKeyInput = RingInput & {
  /** Absent: the key's UUID. */
  readonly name?: string | undefined
  readonly spec: KeySpec
  /** A purpose (AWS, GCP), a set of uses (Azure), or uses within a purpose; absent: all of the spec's first purpose. */
  readonly purpose?: Purpose | undefined
  readonly uses?: readonly KeyUse[] | undefined
  /** The custom key store to make it in; absent: none. */
  readonly keyStore?: WantedKeyStore | undefined
  /** Absent: the default backend. */
  readonly protection?: CryptoBackend['protection'] | undefined
  readonly description?: string | undefined
  /** The calling dialect's tags or labels. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly awsPolicy?: string | undefined
  /** ms */
  readonly destroyDelay?: number | undefined
  /** GCP skip_initial_version_creation. Default false. */
  readonly withoutVersion?: boolean | undefined
  /** A key that waits for material from outside (AWS). */
  readonly pendingImport?: boolean | undefined
  /** The first of a set of keys in several realms. */
  readonly multiRegion?: boolean | undefined
  readonly version?: VersionOptions | undefined
  readonly schedule?: Schedule | undefined
}

type KeyPlan = {
  readonly key: Key
  readonly tombstone: Stored<{ id: string }> | undefined
  readonly keyStore?: Stored<KeyStore> | undefined
}

/** @throws KmsError name_reserved, key_exists, key_deleted */
async function checkName(env: Env, target: RingTarget, name: string) {
  if (UUID.test(name)) throw new KmsError('name_reserved', { reference: name })
  const namesake = await env.store.find('keys', 'name', [target.ring.id, foldName(name)])
  if (namesake !== undefined) {
    throw new KmsError(namesake.state === 'pending_deletion' ? 'key_deleted' : 'key_exists', { reference: name })
  }
  const tombstone = await env.store.find('tombstones', 'name', [target.ring.id, foldName(name)])
  if (tombstone?.retired) throw new KmsError('name_reserved', { reference: name })
  return tombstone
}

function checkUses(input: CreateKeyInput): { purpose: Purpose; uses: readonly KeyUse[] } {
  const possible = purposesOf(input.spec)
  if (input.uses === undefined) {
    const purpose = input.purpose ?? possible[0]
    if (purpose === undefined || !possible.includes(purpose))
      throw invalidArgument('purpose', `not one of ${input.spec}`)
    return { purpose, uses: usesOf(purpose, input.spec) }
  }
  const purpose = input.purpose ?? purposeOf(input.uses, input.spec)
  if (!possible.includes(purpose)) throw invalidArgument('purpose', `not one of ${input.spec}`)
  const mixed = input.purpose === undefined && mixesPurposes(input.spec) ? possible : [purpose]
  const able = new Set(mixed.flatMap((one) => usesOf(one, input.spec)))
  const unable = input.uses.find((use) => !able.has(use))
  if (unable !== undefined) throw invalidArgument('uses', `${input.spec} can't ${unable}`)
  return { purpose, uses: input.uses }
}

/** @throws KmsError unsupported_spec, and what the custom key store refuses */
async function choosePlace(
  env: Env,
  { realm, ring }: RingTarget,
  { keyStore: wanted, protection, spec }: CreateKeyInput,
): Promise<{ readonly backend: CryptoBackend; readonly keyStore?: Stored<KeyStore> }> {
  if (wanted !== undefined) {
    const { keyStore, backend } = await storeForKey(env, realm, wanted)
    return { keyStore, backend: env.backends.named(backend) }
  }
  const backend = env.backends.forProtection(protection, ring.name)
  if (backend === undefined) throw new KmsError('unsupported_spec', { spec, backend: protection ?? '' })
  return { backend }
}

function originOf({ version, keyStore, pendingImport }: CreateKeyInput): Key['origin'] {
  if (keyStore?.externalKeyId !== undefined) return 'external'
  return version?.material === undefined && pendingImport !== true ? 'generated' : 'imported'
}

const membership = ({ id }: KeyStore, { keyStore: wanted }: CreateKeyInput): KeyStoreMembership => ({
  id,
  ...(wanted?.externalKeyId !== undefined && { externalKeyId: wanted.externalKeyId }),
})

async function planKey(env: Env, target: RingTarget, input: CreateKeyInput): Promise<KeyPlan> {
  const id = randomUUID()
  const { purpose, uses } = checkUses(input)
  const tombstone = input.name === undefined ? undefined : await checkName(env, target, input.name)
  const { backend, keyStore } = await choosePlace(env, target, input)
  checkSpec(backend, input.spec, purpose)
  const number = (tombstone?.versionCounter ?? 0) + 1
  const made = input.withoutVersion !== true && input.pendingImport !== true
  const dialect = dialectOf(env, target.ring.dialects[0])
  const key: Key = {
    id,
    realmId: target.realm.id,
    ringId: target.ring.id,
    name: input.name ?? id,
    spec: input.spec,
    purpose,
    uses,
    ...(input.version?.algorithms && { algorithms: input.version.algorithms }),
    backend: backend.name,
    protection: backend.protection,
    origin: originOf(input),
    ...(keyStore && { keyStore: membership(keyStore, input) }),
    createdBy: dialect,
    createdAt: env.now,
    updatedAt: env.now,
    state: input.pendingImport === true ? 'pending_import' : 'enabled',
    current: made ? number : 0,
    versionCounter: made ? number : number - 1,
    description: input.description ?? '',
    tags: keyTags(dialect, input.tags ?? {}),
    ...(input.awsPolicy !== undefined && { awsPolicy: input.awsPolicy }),
    destroyDelay: input.destroyDelay ?? DESTROY_DELAY,
    recoverableDays: env.ringSettings(target.ring).recoverableDays,
    ...(input.schedule && scheduled(input.schedule, env.now)),
    ...(input.multiRegion === true && { multiRegion: { id: newMultiRegionId(), role: 'primary' } }),
  }
  return { key, tombstone, keyStore }
}

/** Plans, makes material, writes: the whole of CreateKey, for put-key as well. */
export async function createKeyIn(env: Env, target: RingTarget, input: CreateKeyInput): Promise<Outcome<KeyView>> {
  const { key, tombstone, keyStore } = await planKey(env, target, input)
  const writes: Write[] = [{ kind: 'insert', collection: 'keys', row: key }]
  if (tombstone !== undefined) {
    writes.push({ kind: 'delete', collection: 'tombstones', id: tombstone.id, revision: tombstone.revision })
  }
  // Written again as it is, so that no key gets into a store that is disconnected or deleted meanwhile.
  if (keyStore !== undefined) {
    const { revision, ...row } = keyStore
    writes.push({ kind: 'update', collection: 'keyStores', row, revision })
  }
  let made: NewVersion | undefined
  if (key.current !== 0) {
    made = await makeVersion(env, target.ring, key, key.current, input.version ?? {})
    writes.push({ kind: 'insert', collection: 'versions', row: made.version })
  }
  const current: KeyVersion | undefined = made?.version
  return {
    output: { ...target, key, current, ...(keyStore && { keyStore }), family: [{ realm: target.realm, key }] },
    writes,
    subject: { key, ...(current && { version: current }) },
    ...(made && { undo: made.undo }),
  }
}

/** @throws KmsError key_exists, key_deleted, name_reserved, unsupported_spec, invalid_argument (purpose, uses) */
export const createKey = ringOperation<CreateKeyInput, KeyView>({
  name: 'CreateKey',
  action: 'create-key',
  run: createKeyIn,
})
