/** What an operation is: data the kernel enforces once, plus one function. */
import type { Algorithm, KeyUse } from './algorithm.ts'
import type { Backends } from './backends.ts'
import type { Eventually } from './eventually.ts'
import type { Exposed } from './exposed.ts'
import type { Key, KeyRing, KeyState, KeyVersion, Realm, VersionState, WireDialect } from './key.ts'
import type { KeyStore, KeyStoreGateway } from './key-store.ts'
import type { LastUses } from './last-use.ts'
import type { MaterialIds } from './material-ids.ts'
import type { MessageCounter } from './message-counter.ts'
import type { AwsFacts } from './policy/aws/facts.ts'
import type { CallContext, Clock, CryptoBackend, KeyHandle, Principal, Sealer, Store, Stored, Write } from './ports.ts'
import type { KeyReference, RealmAddress, RingReference, SecretReference, VersionReference } from './reference.ts'
import type { RingKeys } from './ring-keys.ts'
import type { RingSettingsOf } from './ring-settings.ts'
import type { SecretVersion, StoredSecret } from './stored-secret.ts'

/** One request, as its surface hands it to the kernel. */
export type Call = CallContext & {
  readonly dialect: WireDialect | 'system'
  /** For the audit log, where the operation is the installation's own and a dialect's client asked for it (STS). */
  readonly spoken?: WireDialect
  /** The operation's name on the wire, for audit: `Encrypt`, `keys/sign`, `AsymmetricSign`. */
  readonly wire: string
  /** What the caller's cloud calls the right to do it: an Azure data action, a Google permission. */
  readonly right?: string
  readonly principal: Principal
  readonly realm: RealmAddress
  readonly clientRequestId?: string
  /** IP address that it came from, where that is known. */
  readonly address?: string | undefined
  /** Keys that the dialect has no words for are not there (design section 1); all can be said when absent. */
  readonly expresses?: (key: Key) => boolean
  /** Whether a ciphertext may lead into that realm, besides the caller's own. */
  readonly reaches?: (realm: Realm) => boolean
  /** What AWS's policies may ask of an AWS request. */
  readonly aws?: AwsFacts
  /** Every external request has it. */
  readonly exposed?: Exposed
  /** Counts the request, which is about that key, against its caller's quotas. @throws KmsError throttled */
  readonly admit?: (key: Key | undefined) => void
}

/** Other realms than the target's, for keys that have relatives there. */
export type Elsewhere = {
  /** The default ring of a realm. @throws KmsError realm_not_found, ring_not_found */
  ring(realm: RealmAddress): Promise<RingTarget>
  /** Whether the caller may also do this there. @throws KmsError access_denied */
  authorize(action: string, target: RingTarget & { readonly key?: Key }): Promise<void>
  /** Which of the rights, in his cloud's words, the caller has there. */
  held(
    rights: readonly string[],
    target: { readonly realm: Realm; readonly ring: KeyRing; readonly key?: Key },
  ): Promise<readonly string[]>
}

/** What `run` may use. Writes go into its outcome, never to the store directly. */
export type Env = {
  readonly store: Store
  readonly backends: Backends
  readonly sealer: Sealer
  /** Seals what callers keep: under a key that stays when the root key is moved. */
  readonly backupSealer: Sealer
  readonly ringKeys: Pick<RingKeys, 'get'>
  readonly ringSettings: RingSettingsOf
  readonly clock: Clock
  readonly lastUses: LastUses
  readonly messages: MessageCounter
  readonly materialIds: MaterialIds
  readonly keyStores: KeyStoreGateway
  readonly elsewhere: Elsewhere
  readonly call: Call
  /** Wall clock at the request's start: one instant for all an operation writes. */
  readonly now: number
}

export type Outcome<O> = {
  readonly output: O
  /** Committed with the audit record, all or nothing, before the answer. */
  readonly writes?: readonly Write[]
  /** Runs when `writes` could not be committed: destroys key material made for them. */
  readonly undo?: () => Promise<void>
  /** What the operation made, or found to be meant where the caller did not say, for the audit record. */
  readonly subject?: {
    readonly key?: Key
    readonly version?: KeyVersion
    readonly secret?: StoredSecret
    readonly secretVersion?: SecretVersion
  }
  /** Whose rights it changed or gave, for the audit record. */
  readonly about?: string
}

export type RealmTarget = { readonly realm: Stored<Realm> }
export type RingTarget = RealmTarget & { readonly ring: Stored<KeyRing> }
export type KeyTarget = RingTarget & {
  readonly key: Stored<Key>
  readonly current: Stored<KeyVersion> | undefined
  /** The custom key store that the key is in; absent: none. */
  readonly keyStore?: Stored<KeyStore>
}
export type VersionTarget = KeyTarget & { readonly version: Stored<KeyVersion> }
export type SecretTarget = RingTarget & {
  readonly secret: Stored<StoredSecret>
  readonly secretVersion: Stored<SecretVersion>
}
/** A version that passed every check for the operation's use, with the backend that holds it. */
export type UseTarget = VersionTarget & {
  readonly use: KeyUse
  readonly backend: CryptoBackend
  readonly handle: KeyHandle
  /** The algorithm asked for, resolved and checked; undefined where the operation has none. */
  readonly algorithm: Algorithm | undefined
}

/**
 * `envelope`: the first envelope algorithm that the version's backend can do. A function: what the version itself says,
 * where the caller names none (GCP); it may throw a KmsError for a request that does not fit the version.
 */
export type AlgorithmChoice = Algorithm | 'envelope' | ((version: KeyVersion, key: Key) => Algorithm | 'envelope')

type Common<T, I, O> = {
  /** Name for audit and docs, in PascalCase: `Sign`. */
  readonly name: string
  /** What the authorizer is asked: `sign`, `create-key`. */
  readonly action: string
  /** For quotas. Absent: `data` where it uses keys, `control` elsewhere. */
  readonly plane?: 'data'
  run(env: Env, target: T, input: I): Eventually<Outcome<O>>
}

export type RealmOperation<I, O> = Common<RealmTarget, I, O> & { readonly target: 'realm' }

export type RingInput = { readonly ring: RingReference }
export type RingOperation<I extends RingInput, O> = Common<RingTarget, I, O> & {
  readonly target: 'ring'
  /** Of what may be there by that name already: whether the caller may is then asked of that, not of the ring alone. */
  readonly existing?: (input: I) => Existing
}
/** A name in the ring. */
export type Existing = { readonly key: string } | { readonly secret: string }

export type KeyInput = { readonly key: KeyReference }
export type KeyOperation<I extends KeyInput, O> = Common<KeyTarget, I, O> & {
  readonly target: 'key'
  /** Key states (effective) it works in; all when absent. */
  readonly states?: readonly KeyState[]
}

export type VersionInput = KeyInput & { readonly version?: VersionReference | undefined }
export type VersionOperation<I extends VersionInput, O> = Common<VersionTarget, I, O> & {
  readonly target: 'version'
  /** States of the key as a whole it works in; all when absent. */
  readonly keyStates?: readonly KeyState[]
  /** Version states it works in; all when absent. */
  readonly states?: readonly VersionState[]
}

/** Where a use's key and version come from; `expected` is the key the caller named, if that may differ. */
export type Located = VersionInput & { readonly expected?: KeyReference }

/** A function: what the key's kind makes of an operation that has one name for several kinds (Azure's encrypt). */
export type UseChoice = KeyUse | ((key: Key) => KeyUse)
export const chosenUse = (choice: UseChoice, key: Key): KeyUse => (typeof choice === 'function' ? choice(key) : choice)

/** What an operation demands of one key that it uses. */
export type Demand<I> = {
  readonly use: KeyUse | ((input: I, key: Key) => KeyUse)
  locate(input: I): Located
  algorithm(input: I): AlgorithmChoice | undefined
}
export type UseOperation<I, O> = Common<UseTarget, I, O> & Demand<I> & { readonly target: 'use' }

/** Takes from one key and gives to another. Either is decided on by an action of its own; one record tells of both. */
export type PairTarget = { readonly source: UseTarget; readonly destination: UseTarget }
export type PairOperation<I, O> = Common<PairTarget, I, O> & {
  readonly target: 'pair'
  readonly source: Demand<I> & { readonly action: string }
  readonly destination: Demand<I> & { readonly action: string }
}

export type SecretInput = { readonly secret: SecretReference; readonly version?: VersionReference | undefined }
export type SecretOperation<I extends SecretInput, O> = Common<SecretTarget, I, O> & {
  readonly target: 'secret'
  /** Deleted secrets are kept apart: `live` refuses them, `deleted` refuses the others. Absent: any. */
  readonly expect?: 'live' | 'deleted'
  /** Refused while the version is disabled. */
  readonly enabledOnly?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: variance only; inputs are typed where an operation is executed
type AnyInput = any
export type Operation<I = AnyInput, O = unknown> =
  | RealmOperation<I, O>
  | (I extends RingInput ? RingOperation<I, O> : never)
  | (I extends KeyInput ? KeyOperation<I, O> : never)
  | (I extends VersionInput ? VersionOperation<I, O> : never)
  | (I extends SecretInput ? SecretOperation<I, O> : never)
  | UseOperation<I, O>
  | PairOperation<I, O>

export const isDataPlane = ({ target, plane }: Operation): boolean =>
  plane === 'data' || target === 'use' || target === 'pair'

export const realmOperation = <I, O>(op: Omit<RealmOperation<I, O>, 'target'>): RealmOperation<I, O> => ({
  ...op,
  target: 'realm',
})
export const ringOperation = <I extends RingInput, O>(
  op: Omit<RingOperation<I, O>, 'target'>,
): RingOperation<I, O> => ({
  ...op,
  target: 'ring',
})
export const keyOperation = <I extends KeyInput, O>(op: Omit<KeyOperation<I, O>, 'target'>): KeyOperation<I, O> => ({
  ...op,
  target: 'key',
})
export const versionOperation = <I extends VersionInput, O>(
  op: Omit<VersionOperation<I, O>, 'target'>,
): VersionOperation<I, O> => ({ ...op, target: 'version' })
export const useOperation = <I, O>(op: Omit<UseOperation<I, O>, 'target'>): UseOperation<I, O> => ({
  ...op,
  target: 'use',
})
export const secretOperation = <I extends SecretInput, O>(
  op: Omit<SecretOperation<I, O>, 'target'>,
): SecretOperation<I, O> => ({ ...op, target: 'secret' })
export const pairOperation = <I, O>(op: Omit<PairOperation<I, O>, 'target'>): PairOperation<I, O> => ({
  ...op,
  target: 'pair',
})
