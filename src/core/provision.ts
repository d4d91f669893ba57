/** New realms and rings: the installation's first one, and in dev those that a request names for the first time. */
import { randomUUID } from 'node:crypto'
import type { Dialect, KeyRing, Realm } from './key.ts'
import type { Sealer, Store, Write } from './ports.ts'
import type { RealmAddress } from './reference.ts'
import { newRingKey } from './ring-keys.ts'

export const DEFAULT_RING = 'default'
/** Azure's grammar of a vault name, less its minimum length (ring names may be shorter). */
const VAULT_NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export type RingPlan = {
  readonly realmId: string
  readonly name: string
  readonly dialects: readonly Dialect[]
  readonly now: number
}

/** The ring's name where Azure's grammar can say it and no other realm has it, else a name of its own. */
async function vaultNameFor(store: Store, name: string, ringId: string): Promise<string> {
  const wanted = name.toLowerCase()
  if (VAULT_NAME.test(wanted) && (await store.find('rings', 'vault', [wanted])) === undefined) return wanted
  return `ring-${ringId.replaceAll('-', '').slice(0, 12)}`
}

export async function newRing(
  store: Store,
  sealer: Sealer,
  plan: RingPlan,
  id: string = randomUUID(),
): Promise<KeyRing> {
  return {
    id,
    realmId: plan.realmId,
    name: plan.name,
    vaultName: await vaultNameFor(store, plan.name, id),
    dialects: plan.dialects,
    sealedKey: await newRingKey(sealer, id),
    createdAt: plan.now,
  }
}

export type RealmPlan = Pick<Realm, 'aws' | 'gcp' | 'azure'> & {
  /** Of its default ring: all in dev, in production the one that creates it. */
  readonly dialects: readonly Dialect[]
  readonly now: number
}

/** A realm with its default ring, as writes. */
export async function newRealm(store: Store, sealer: Sealer, plan: RealmPlan): Promise<readonly Write[]> {
  const realmId = randomUUID()
  const { now, dialects, ...addresses } = plan
  const ring = await newRing(store, sealer, { realmId, name: DEFAULT_RING, dialects, now })
  const realm: Realm = { id: realmId, ...addresses, defaultRingId: ring.id, createdAt: now }
  return [
    { kind: 'insert', collection: 'realms', row: realm },
    { kind: 'insert', collection: 'rings', row: ring },
  ]
}

/** What a request's address makes of itself in dev; a vault becomes a ring in the built-in realm instead. */
export function addressPlan(address: RealmAddress): Pick<Realm, 'aws' | 'gcp'> | undefined {
  switch (address.dialect) {
    case 'aws':
      return { aws: { account: address.account, region: address.region } }
    case 'gcp':
      return { gcp: { project: address.project, location: address.location } }
    default:
      return undefined
  }
}
