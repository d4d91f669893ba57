/** What operations hand back about keys; dialects render their own shapes from it. */
import type { Key, KeyRing, KeyVersion, Realm } from './key.ts'
import type { KeyStore } from './key-store.ts'
import type { Member } from './multi-region.ts'
import type { SecretVersion, StoredSecret } from './stored-secret.ts'

export type KeyView = {
  readonly realm: Realm
  readonly ring: KeyRing
  readonly key: Key
  /** The version that signs and encrypts; absent while there is none. */
  readonly current: KeyVersion | undefined
  /** The custom key store that the key is in; absent: none. */
  readonly keyStore?: KeyStore | undefined
  /** The keys of its set, itself included, where that was asked for. */
  readonly family?: readonly Member[]
}
export type VersionView = KeyView & { readonly version: KeyVersion }

export type SecretView = {
  readonly realm: Realm
  readonly ring: KeyRing
  readonly secret: StoredSecret
  readonly secretVersion: SecretVersion
}
