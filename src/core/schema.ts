/**
 * What a store keeps: the collections and their indexes. An index maps a row to a tuple of strings, or to undefined
 * where the row is not in it; pages come in tuple order, then by id.
 */

import {
  type Alias,
  type Key,
  type KeyRing,
  type KeyVersion,
  materialExpiry,
  type Realm,
  rotationDue,
  type Tombstone,
} from './key.ts'
import type { KeyStore } from './key-store.ts'
import type { LastUse } from './last-use.ts'
import type { MessageCount } from './message-counter.ts'
import type { Grant } from './policy/aws/grant.ts'
import type { RoleAssignment } from './policy/azure/role-book.ts'
import type { RoleDefinition } from './policy/azure/roles.ts'
import type { IamPolicy } from './policy/gcp/policy.ts'
import type { AuditRecord } from './ports.ts'
import type { AccessKey, AccessKeyUse, StoredPrincipal } from './principals/principal.ts'
import type { SecretVersion, StoredSecret } from './stored-secret.ts'

/** A mutation's audit record, committed with the mutation and drained into the chain (design section 3). */
export type OutboxRow = {
  readonly id: string
  readonly record: AuditRecord
  /** Number of the chain's last record when this one was committed: it is not looked for before that. Absent: unknown. */
  readonly after?: number
}
/** Facts about the installation itself: the sealed audit key, the schema's version and the like. */
export type MetaRow = { readonly id: string; readonly value: string | Uint8Array }

export type Rows = {
  realms: Realm
  rings: KeyRing
  keys: Key
  keyStores: KeyStore
  versions: KeyVersion
  aliases: Alias
  tombstones: Tombstone
  lastUses: LastUse
  secrets: StoredSecret
  secretVersions: SecretVersion
  messageCounts: MessageCount
  principals: StoredPrincipal
  accessKeys: AccessKey
  accessKeyUses: AccessKeyUse
  grants: Grant
  roleDefinitions: RoleDefinition
  roleAssignments: RoleAssignment
  iamPolicies: IamPolicy
  outbox: OutboxRow
  meta: MetaRow
}
export type CollectionName = keyof Rows

type Index<T> = {
  readonly unique: boolean
  readonly key: (row: T) => readonly string[] | undefined
}

/** Sorts as the number does. */
export const sortable = (value: number): string => String(value).padStart(16, '0')
/** Names are unique without regard to case in rings that Azure can see; kept so everywhere, so that exposure can change. */
export const foldName = (name: string): string => name.toLowerCase()

export const SCHEMA = {
  realms: {
    aws: { unique: true, key: (row) => row.aws && [row.aws.account, row.aws.region] },
    gcp: { unique: true, key: (row) => row.gcp && [row.gcp.project, row.gcp.location] },
    azure: { unique: true, key: (row) => row.azure && [row.azure.tenant] },
    all: { unique: false, key: () => [] },
  },
  rings: {
    name: { unique: true, key: (row) => [row.realmId, row.name] },
    vault: { unique: true, key: (row) => [row.vaultName] },
    all: { unique: false, key: () => [] },
  },
  keys: {
    name: { unique: true, key: (row) => [row.ringId, foldName(row.name)] },
    realm: { unique: false, key: (row) => [row.realmId] },
    /** Keys of one set, one a realm. */
    multiRegion: { unique: true, key: (row) => row.multiRegion && [row.multiRegion.id, row.realmId] },
    /** Keys whose deletion falls due, soonest first. */
    due: { unique: false, key: (row) => row.deletion && [sortable(row.deletion.dueAt)] },
    /** Keys that are being made or changed in several Regions, longest first. */
    settling: { unique: false, key: (row) => row.settling && [sortable(row.settling.since)] },
    /** Keys whose rotation falls due, soonest first. A disabled key waits until it is enabled, a replica for its primary. */
    rotation: {
      unique: false,
      key: (row) => {
        const at = rotationDue(row)
        return at === undefined ? undefined : [sortable(at)]
      },
    },
    keyStore: { unique: false, key: (row) => row.keyStore && [row.keyStore.id] },
    /** An external key is one key's of its store. */
    externalKey: {
      unique: true,
      key: (row) => (row.keyStore?.externalKeyId ? [row.keyStore.id, row.keyStore.externalKeyId] : undefined),
    },
  },
  keyStores: {
    name: { unique: true, key: (row) => [row.realmId, row.name] },
    /** A proxy's address is one store's. */
    proxy: {
      unique: true,
      key: (row) => (row.place.kind === 'proxy' ? [row.realmId, row.place.endpoint, row.place.path] : undefined),
    },
    cluster: {
      unique: true,
      key: (row) => (row.place.kind === 'token' ? [row.realmId, row.place.cluster] : undefined),
    },
    /** Stores that are being connected, longest first. */
    connecting: {
      unique: false,
      key: (row) => (row.connectingSince === undefined ? undefined : [sortable(row.connectingSince)]),
    },
  },
  versions: {
    number: { unique: true, key: (row) => [row.keyId, sortable(row.number)] },
    hex: { unique: true, key: (row) => [row.keyId, row.hexId] },
    /** Versions of one material in several realms, by the version that it was made as. */
    shared: { unique: true, key: (row) => row.shared && [row.shared.versionId, row.shared.realmId] },
    /** Versions whose destruction falls due, soonest first. */
    due: {
      unique: false,
      key: (row) =>
        row.destroyAt !== undefined && row.state === 'destroy_scheduled' ? [sortable(row.destroyAt)] : undefined,
    },
    /** Versions whose imported material expires, soonest first. */
    expiry: {
      unique: false,
      key: (row) => {
        const at = materialExpiry(row)
        return at === undefined ? undefined : [sortable(at)]
      },
    },
  },
  aliases: {
    name: { unique: true, key: (row) => [row.realmId, row.name] },
    key: { unique: false, key: (row) => [row.keyId, row.name] },
  },
  tombstones: {
    name: { unique: true, key: (row) => [row.ringId, foldName(row.name)] },
  },
  lastUses: {
    all: { unique: false, key: () => [] },
  },
  secrets: {
    name: { unique: true, key: (row) => [row.ringId, foldName(row.name)] },
    /** Deleted secrets whose purge falls due, soonest first. */
    due: { unique: false, key: (row) => row.deletion && [sortable(row.deletion.dueAt)] },
  },
  secretVersions: {
    number: { unique: true, key: (row) => [row.secretId, sortable(row.number)] },
    hex: { unique: true, key: (row) => [row.secretId, row.hexId] },
  },
  messageCounts: {
    all: { unique: false, key: () => [] },
  },
  principals: {
    name: { unique: true, key: (row) => [row.account, row.kind, foldName(row.name)] },
    all: { unique: false, key: () => [] },
  },
  accessKeys: {
    principal: { unique: false, key: (row) => [row.principalId] },
    all: { unique: false, key: () => [] },
  },
  accessKeyUses: {
    all: { unique: false, key: () => [] },
  },
  grants: {
    key: { unique: false, key: (row) => [row.keyId] },
    grantee: { unique: false, key: (row) => [row.keyId, row.grantee] },
    /** What was asked for under a name, and so is not made twice. */
    asked: {
      unique: true,
      key: (row) => (row.fingerprint === undefined ? undefined : [row.keyId, row.fingerprint]),
    },
    retiring: { unique: false, key: (row) => (row.retiring === undefined ? undefined : [row.region, row.retiring]) },
  },
  roleDefinitions: {
    name: { unique: true, key: (row) => [foldName(row.name)] },
  },
  roleAssignments: {
    /** One a role, scope and principal. */
    grant: {
      unique: true,
      key: (row) => [row.tenant, row.principalId, row.roleId, row.scope, row.deny ? 'deny' : 'allow'],
    },
    role: { unique: false, key: (row) => [row.roleId] },
    holder: { unique: false, key: (row) => [row.tenant, row.principalId, row.scope, row.roleId] },
  },
  iamPolicies: {
    all: { unique: false, key: () => [] },
  },
  outbox: {
    all: { unique: false, key: () => [] },
  },
  meta: {
    all: { unique: false, key: () => [] },
  },
} as const satisfies { [C in CollectionName]: Readonly<Record<string, Index<Rows[C]>>> }

export type IndexName<C extends CollectionName> = keyof (typeof SCHEMA)[C] & string

/** The index's definition with its row type, for stores. */
export const indexesOf = <C extends CollectionName>(collection: C): Readonly<Record<string, Index<Rows[C]>>> =>
  SCHEMA[collection] as unknown as Readonly<Record<string, Index<Rows[C]>>>

export const COLLECTION_NAMES = Object.keys(SCHEMA) as readonly CollectionName[]
