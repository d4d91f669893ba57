/** The hierarchy: realm, key ring, key, key version (design section 1). Rows are immutable; times are ms since the epoch. */
import type { Algorithm, KeySpec, KeyUse, Purpose } from './algorithm.ts'
import { KmsError } from './error.ts'
import type { KeyStore, KeyStoreMembership } from './key-store.ts'
import type { RotationPolicy } from './rotation.ts'

export const DIALECTS = ['aws', 'azure', 'gcp'] as const
/** Dialects that manage keys. */
export type Dialect = (typeof DIALECTS)[number]
/** Dialects of clouds that call out for the use of keys they are shown, and manage none. */
export const EXTERNAL_DIALECTS = ['xks', 'ekm'] as const
export type ExternalDialect = (typeof EXTERNAL_DIALECTS)[number]
export type WireDialect = Dialect | ExternalDialect

export const isExternal = (dialect: WireDialect | 'system'): dialect is ExternalDialect =>
  dialect === 'xks' || dialect === 'ekm'

export type Realm = {
  readonly id: string
  readonly aws?: { readonly account: string; readonly region: string }
  readonly gcp?: { readonly project: string; readonly location: string }
  readonly azure?: { readonly tenant: string }
  readonly defaultRingId: string
  readonly createdAt: number
}

export type KeyRing = {
  readonly id: string
  readonly realmId: string
  /** Name in GCP; unique in its realm. */
  readonly name: string
  /** Name in Azure host names; unique across realms, lower case. */
  readonly vaultName: string
  /** A dialect sees the ring's keys only if it is listed here. */
  readonly dialects: readonly Dialect[]
  /** The ring key, sealed under the root key. */
  readonly sealedKey: Uint8Array
  readonly createdAt: number
}

/** External callers name no rings: the configuration names each key that they see. */
export const isShown = (ring: KeyRing, dialect: WireDialect | 'system'): boolean =>
  dialect === 'system' || isExternal(dialect) || ring.dialects.includes(dialect)

export type KeyState =
  | 'creating'
  | 'enabled'
  | 'disabled'
  | 'updating'
  | 'pending_import'
  | 'pending_deletion'
  | 'pending_replica_deletion'
  | 'unavailable'

export type VersionState =
  | 'pending_generation'
  | 'generation_failed'
  | 'pending_import'
  | 'import_failed'
  | 'enabled'
  | 'disabled'
  | 'destroy_scheduled'
  | 'destroyed'
  | 'pending_external_destruction'
  | 'external_destruction_failed'

/** A deletion in waiting. `due` is the latest of what any dialect asked for. */
export type Deletion = {
  readonly by: Dialect
  readonly requestedAt: number
  readonly dueAt: number
  /** What recovering restores where the dialect says "as it was" (Azure). AWS always recovers to disabled. */
  readonly previous: 'enabled' | 'disabled' | 'pending_import'
}

/** What keeps the material: this process, a token, or an external key manager. */
export type Protection = 'software' | 'hsm' | 'external'

/** One of several keys with one id and one material, in realms of one account (AWS). */
export type MultiRegion = { readonly id: string; readonly role: 'primary' | 'replica' }

export type Settling = { readonly to: 'enabled' | 'pending_import'; readonly since: number }

/** A deletion that begins once the last replica is gone. */
export type DeletionPlan = Pick<Deletion, 'by' | 'requestedAt' | 'previous'> & { readonly delay: number }

export type Key = {
  /** UUID, lower case. */
  readonly id: string
  readonly realmId: string
  readonly ringId: string
  /** Unique in its ring without regard to case; the UUID when the caller gave none. */
  readonly name: string
  readonly spec: KeySpec
  readonly purpose: Purpose
  /** What versions may do that have no uses of their own. */
  readonly uses: readonly KeyUse[]
  /** Allow-list that new versions start with (GCP's version template); absent means all of the spec's. */
  readonly algorithms?: readonly Algorithm[]
  /** Name of the backend that makes this key's versions. */
  readonly backend: string
  readonly protection: Protection
  readonly origin: 'generated' | 'imported' | 'external'
  /** Absent: the installation's own. */
  readonly keyStore?: KeyStoreMembership
  readonly createdBy: Dialect
  readonly createdAt: number
  readonly updatedAt: number
  readonly state: KeyState
  readonly deletion?: Deletion
  readonly deletionPlan?: DeletionPlan
  readonly multiRegion?: MultiRegion
  /** While it is `creating` or `updating`: what it is to be next, and since when. */
  readonly settling?: Settling
  /** Number of the version that signs and encrypts; GCP's primary. 0: none. */
  readonly current: number
  /** Highest version number ever used, destroyed ones and those of a purged namesake included. */
  readonly versionCounter: number
  readonly description: string
  /** One map a dialect, never merged. */
  readonly tags: Readonly<Record<Dialect, Readonly<Record<string, string>>>>
  /** AWS key policy document as given, or absent for the default one. */
  readonly awsPolicy?: string
  /** Waiting time of a GCP version destruction, ms. */
  readonly destroyDelay: number
  /** Azure: days a deleted key stays recoverable. */
  readonly recoverableDays: number
  /** What new versions are made of where that differs from the current one's kind; absent: the key's own. */
  readonly template?: Pick<Key, 'spec' | 'algorithms'>
  readonly rotation?: RotationPolicy
  /** When the clock makes the next current version; absent: never. */
  readonly nextRotationAt?: number
  /** How often it was rotated on demand (AWS limits that); absent: never. */
  readonly rotationsOnDemand?: number
  /** Number of the imported version that becomes current with the next rotation on demand. */
  readonly pendingVersion?: number
  /** When the first of its imported material expires, and the key with it; absent: never. */
  readonly materialExpiresAt?: number
}

/** Material that came from outside, which the clock may take away and the caller may bring again. */
export type ImportedMaterial = {
  /** Absent: never. */
  readonly expiresAt?: number | undefined
  readonly description?: string | undefined
}

/** The home of a material that several keys have, and the realm that this version of it serves. */
export type SharedMaterial = { readonly versionId: string; readonly ringId: string; readonly realmId: string }

export type KeyVersion = {
  /** UUID; what ciphertexts and seals name. */
  readonly id: string
  readonly keyId: string
  readonly number: number
  /** Azure's version, 32 hex digits. */
  readonly hexId: string
  /** AWS KeyMaterialId, 64 hex digits. */
  readonly materialId: string
  readonly spec: KeySpec
  readonly state: VersionState
  /** Who disabled it: Azure's leniency holds only for its own doing. */
  readonly disabledBy?: Dialect
  readonly backend: string
  /** Opaque to all but the backend; empty while there is no material. */
  readonly ref: Uint8Array
  /** DER SubjectPublicKeyInfo of asymmetric keys. */
  readonly spki?: Uint8Array
  /** Allow-list; absent means all of the spec's (design section 1, "GCP algorithm per version"). */
  readonly algorithms?: readonly Algorithm[]
  /** What this version may do; absent: what its key may. A successor has the same unless it is given others. */
  readonly uses?: readonly KeyUse[]
  /** Of a dialect whose tags are versions' (Azure); absent: its key's. Likewise. */
  readonly tags?: Readonly<Record<string, string>>
  readonly createdAt: number
  readonly updatedAt: number
  readonly notBefore?: number
  readonly expiresAt?: number
  readonly destroyAt?: number
  readonly destroyedAt?: number
  /** What made it the current version; absent for a key's first and for one that never was current. */
  readonly rotation?: RotationKind
  /** When it became current, where that was not when it was made. */
  readonly rotatedAt?: number
  /** Of a replica's versions. */
  readonly shared?: SharedMaterial
  /** Absent for generated material. */
  readonly imported?: ImportedMaterial
}

export type RotationKind = 'automatic' | 'on_demand'

export type Alias = {
  readonly id: string
  readonly realmId: string
  /** With its `alias/` prefix. */
  readonly name: string
  readonly keyId: string
  readonly createdAt: number
  readonly updatedAt: number
}

/** What a purged key leaves: its version counter, so that no version name is used twice. `retired`: the name is refused for ever. */
export type Tombstone = {
  /** A retired one's is its key's. */
  readonly id: string
  readonly ringId: string
  readonly name: string
  readonly versionCounter: number
  readonly retired: boolean
  readonly purgedAt: number
}

const LIVE = ['enabled', 'disabled', 'pending_import', 'unavailable'] as const
const DELETED = ['pending_deletion', 'pending_replica_deletion'] as const

/** Legal transitions of a key. An absent pair is refused, so that a new state starts with no way in. */
const KEY_TRANSITIONS: Readonly<Record<KeyState, readonly KeyState[]>> = {
  creating: ['enabled', 'pending_import', 'unavailable'],
  enabled: [...LIVE, 'updating', ...DELETED],
  disabled: [...LIVE, ...DELETED],
  updating: ['enabled', 'pending_import'],
  pending_import: ['enabled', 'disabled', 'pending_import', 'updating', ...DELETED],
  pending_deletion: ['enabled', 'disabled', 'pending_import'],
  pending_replica_deletion: ['pending_deletion', 'enabled', 'disabled', 'pending_import'],
  unavailable: ['enabled', 'disabled', ...DELETED],
}

const VERSION_TRANSITIONS: Readonly<Record<VersionState, readonly VersionState[]>> = {
  pending_generation: ['enabled', 'disabled', 'generation_failed'],
  generation_failed: [],
  pending_import: ['enabled', 'disabled', 'import_failed', 'destroyed'],
  import_failed: ['pending_import'],
  enabled: ['enabled', 'disabled', 'pending_import', 'destroy_scheduled', 'destroyed', 'pending_external_destruction'],
  disabled: ['enabled', 'disabled', 'pending_import', 'destroy_scheduled', 'destroyed', 'pending_external_destruction'],
  destroy_scheduled: ['disabled', 'destroyed'],
  destroyed: ['enabled', 'pending_import'],
  pending_external_destruction: ['destroyed', 'external_destruction_failed'],
  external_destruction_failed: ['pending_external_destruction'],
}

const STATE_ERRORS = {
  disabled: 'key_disabled',
  pending_deletion: 'key_pending_deletion',
  pending_replica_deletion: 'key_pending_deletion',
  pending_import: 'key_pending_import',
  creating: 'key_unavailable',
  updating: 'key_unavailable',
  unavailable: 'key_unavailable',
} as const satisfies Record<Exclude<KeyState, 'enabled'>, string>

/** The refusal that a key state stands for. */
export const keyStateError = (state: Exclude<KeyState, 'enabled'>): KmsError =>
  new KmsError(STATE_ERRORS[state], { state })

/** The refusal that a version state stands for. */
export function versionStateError(state: Exclude<VersionState, 'enabled'>): KmsError {
  if (state === 'disabled') return new KmsError('version_disabled', { state })
  if (state === 'destroyed') return new KmsError('version_destroyed', { state })
  return new KmsError('version_state', { state })
}

/** @throws KmsError naming the state the key is in */
export function toKeyState(key: Key, state: KeyState, at: number): Key {
  if (!KEY_TRANSITIONS[key.state].includes(state)) {
    throw key.state === 'enabled' ? new KmsError('conflict', { state }) : keyStateError(key.state)
  }
  return { ...key, state, updatedAt: at }
}

/** @throws KmsError naming the state the version is in */
export function toVersionState(version: KeyVersion, state: VersionState, at: number): KeyVersion {
  if (!VERSION_TRANSITIONS[version.state].includes(state)) {
    throw new KmsError('version_state', { state: version.state })
  }
  const { disabledBy: _, ...rest } = version
  return { ...rest, state, updatedAt: at }
}

/**
 * What a caller sees of a version, the key's own state included: a key disabled or deleted as a whole shows in each of
 * its versions (design section 1, principle 1).
 */
export function effectiveVersionState(key: Key, version: KeyVersion): VersionState {
  if (version.state !== 'enabled')
    return version.state === 'disabled' && key.state === 'pending_deletion' ? 'destroy_scheduled' : version.state
  if (key.state === 'pending_deletion' || key.state === 'pending_replica_deletion') return 'destroy_scheduled'
  return key.state === 'enabled' || key.state === 'updating' ? 'enabled' : 'disabled'
}

/**
 * What a caller sees of a key, its current version and its custom key store included: without a usable version or a
 * connection a key is unavailable, and with a disabled version it is disabled.
 */
export function effectiveKeyState(
  key: Key,
  current: KeyVersion | undefined,
  keyStore?: Pick<KeyStore, 'state'>,
): KeyState {
  if (keyStore !== undefined && keyStore.state !== 'connected') {
    if (key.state === 'enabled' || key.state === 'disabled') return 'unavailable'
  }
  if (key.state !== 'enabled') return key.state
  if (current === undefined) return 'unavailable'
  if (current.state === 'enabled') return 'enabled'
  if (current.state === 'disabled') return 'disabled'
  return current.state === 'pending_import' ? 'pending_import' : 'unavailable'
}

/** Whether keys in that state are used: one that is being made the primary of its set stays in use. */
export const isInUse = ({ state, settling }: Pick<Key, 'state' | 'settling'>): boolean =>
  state === 'enabled' || (state === 'updating' && settling?.to === 'enabled')

/** A version as its backend needs it. What several keys have is sealed, and named in ciphertexts, where it was made. */
export const handleOf = (ring: Pick<KeyRing, 'id'>, { id, spec, ref, shared }: KeyVersion) => ({
  ringId: shared?.ringId ?? ring.id,
  versionId: shared?.versionId ?? id,
  spec,
  ref,
})

/** When the clock rotates a key; undefined where it does not: a replica gets what its primary gets. */
export const rotationDue = ({ nextRotationAt, state, multiRegion }: Key): number | undefined =>
  state === 'enabled' && multiRegion?.role !== 'replica' ? nextRotationAt : undefined

/** When the material of a version expires; undefined where there is none, or it never does. */
export const materialExpiry = ({ imported, ref }: KeyVersion): number | undefined =>
  ref.length === 0 ? undefined : imported?.expiresAt

export const usesOfVersion = (key: Key, version: KeyVersion): readonly KeyUse[] => version.uses ?? key.uses

/** Whether the version may still be used by date; `protect`: sign, encrypt, wrap. Other uses outlive the window (Azure). */
export function validityError(version: KeyVersion, now: number): KmsError | undefined {
  if (version.notBefore !== undefined && now < version.notBefore) {
    return new KmsError('key_not_yet_valid', { notBefore: version.notBefore })
  }
  if (version.expiresAt !== undefined && now >= version.expiresAt) {
    return new KmsError('key_expired', { expiresAt: version.expiresAt })
  }
  return undefined
}

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
