/** From references to rows: realm, ring, key, version. A ring that the calling dialect may not see is not there. */
import { KmsError } from './error.ts'
import type { Eventually } from './eventually.ts'
import { DIALECTS, isShown, type Key, type KeyRing, type KeyVersion, type Realm, UUID } from './key.ts'
import type { Call, Existing, KeyTarget, RealmTarget, RingTarget, SecretTarget } from './operation.ts'
import type { Clock, Sealer, Store, Stored } from './ports.ts'
import { addressPlan, newRealm, newRing } from './provision.ts'
import {
  describeKeyReference,
  type KeyReference,
  type RealmAddress,
  type RingReference,
  type SecretReference,
  type VersionReference,
} from './reference.ts'
import { foldName, sortable } from './schema.ts'
import type { SecretVersion, StoredSecret } from './stored-secret.ts'

type Scope = RealmTarget & { /** The ring an Azure address names. */ readonly addressed: Stored<KeyRing> | undefined }

/** The realm of the installation, for vaults that dev makes on first use. */
export const BUILT_IN_REALM = 'built-in-realm'

export const describeAddress = (address: RealmAddress): string =>
  Object.entries(address)
    .map(([name, value]) => `${name}:${value}`)
    .join(' ')

export type ResolverDeps = {
  readonly store: Store
  readonly sealer: Sealer
  readonly clock: Clock
  readonly provision: boolean
}

/** What a look-up reads through; the store itself, unless somebody keeps count. */
type Reads = Pick<Store, 'get' | 'find'>

export class Resolver {
  readonly #store: Store
  readonly #sealer: Sealer
  readonly #clock: Clock
  /** Whether unknown addresses become realms and rings (dev), or are refused (production). */
  readonly #provision: boolean

  constructor(deps: ResolverDeps) {
    this.#store = deps.store
    this.#sealer = deps.sealer
    this.#clock = deps.clock
    this.#provision = deps.provision
  }

  /** @throws KmsError realm_not_found, ring_not_found */
  async scope(call: Call, reads: Reads = this.#store): Promise<Scope> {
    const found = await this.#lookUp(call.realm, reads)
    if (found !== undefined) return found
    if (this.#provision) await this.#create(call.realm)
    const made = this.#provision ? await this.#lookUp(call.realm, reads) : undefined
    if (made !== undefined) return made
    throw new KmsError('realm_not_found', { address: describeAddress(call.realm) })
  }

  async ring(scope: Scope, reference: RingReference, call: Call, reads: Reads = this.#store): Promise<RingTarget> {
    const ring =
      reference.by === 'default'
        ? (scope.addressed ?? (await reads.get('rings', scope.realm.defaultRingId)))
        : await reads.find('rings', 'name', [scope.realm.id, reference.name])
    if (ring === undefined || !isShown(ring, call.dialect)) {
      throw new KmsError('ring_not_found', { reference: reference.by === 'name' ? reference.name : 'default' })
    }
    return { realm: scope.realm, ring }
  }

  async key(scope: Scope, reference: KeyReference, call: Call, reads: Reads = this.#store): Promise<KeyTarget> {
    const home = reference.realm === undefined ? scope : await this.#lookUp(reference.realm, reads)
    const key = home && (await this.#findKey(home, reference, call, reads))
    const realm = key && home && (await this.#realmOf(key, home, reference, call))
    const ring = key && realm && (await reads.get('rings', key.ringId))
    if (key === undefined || realm === undefined || ring === undefined || !visible(key, ring, call)) {
      // A version's id comes from a ciphertext; nobody asked for a key by it.
      if (reference.by === 'version') throw new KmsError('invalid_ciphertext', { reason: 'unknown_key' })
      const code = reference.by === 'alias' && key === undefined ? 'alias_not_found' : 'key_not_found'
      throw new KmsError(code, { reference: describeKeyReference(reference), ...elsewhere(reference) })
    }
    const current =
      key.current === 0 ? undefined : await this.#version(key, { by: 'number', number: key.current }, reads)
    const keyStore = key.keyStore && (await reads.get('keyStores', key.keyStore.id))
    return { realm, ring, key, current, ...(keyStore && { keyStore }) }
  }

  /** Undefined: the key is of a realm that the caller did not name, and a ciphertext does not lead there. */
  async #realmOf(key: Key, { realm: home }: Scope, reference: KeyReference, call: Call) {
    if (key.realmId === home.id) return home
    const realm = reference.by === 'version' ? await this.#store.get('realms', key.realmId) : undefined
    return realm !== undefined && call.reaches?.(realm) === true ? realm : undefined
  }

  /** The key or the secret that has the name. */
  async existing(
    { ring }: RingTarget,
    named: Existing,
  ): Promise<Partial<Pick<KeyTarget & SecretTarget, 'key' | 'secret'>>> {
    if ('key' in named) {
      const key = await this.#store.find('keys', 'name', [ring.id, foldName(named.key)])
      return key === undefined ? {} : { key }
    }
    const secret = await this.#store.find('secrets', 'name', [ring.id, foldName(named.secret)])
    return secret === undefined ? {} : { secret }
  }

  /** @throws KmsError version_not_found; key_unavailable where the current version is asked for and there is none */
  version(target: KeyTarget, reference: VersionReference | undefined): Eventually<Stored<KeyVersion>> {
    const { current } = target
    if (reference === undefined) {
      if (current === undefined) throw new KmsError('key_unavailable')
      return current
    }
    return current !== undefined && isNamed(current, reference) ? current : this.#named(target, reference)
  }

  async #named(target: KeyTarget, reference: VersionReference): Promise<Stored<KeyVersion>> {
    const version = await this.#version(target.key, reference, this.#store)
    if (version !== undefined) return version
    const text =
      reference.by === 'number' ? String(reference.number) : reference.by === 'hex' ? reference.hex : reference.id
    throw new KmsError('version_not_found', { reference: text })
  }

  async secret(scope: Scope, reference: SecretReference, call: Call): Promise<Omit<SecretTarget, 'secretVersion'>> {
    const secret = await this.#findSecret(scope, reference, call)
    const ring = secret?.realmId === scope.realm.id ? await this.#store.get('rings', secret.ringId) : undefined
    if (secret === undefined || ring === undefined || !isShown(ring, call.dialect)) {
      throw new KmsError('secret_not_found', { reference: reference.by === 'name' ? reference.name : reference.id })
    }
    return { realm: scope.realm, ring, secret }
  }

  /** @throws KmsError secret_not_found */
  async secretVersion(
    secret: StoredSecret,
    reference: VersionReference = { by: 'number', number: secret.current },
  ): Promise<Stored<SecretVersion>> {
    const version = await this.#findSecretVersion(secret, reference)
    if (version !== undefined) return version
    const named = reference.by === 'hex' ? `${secret.name}/${reference.hex}` : secret.name
    throw new KmsError('secret_not_found', { reference: named })
  }

  async #findSecret(scope: Scope, reference: SecretReference, call: Call): Promise<Stored<StoredSecret> | undefined> {
    if (reference.by === 'id') return this.#store.get('secrets', reference.id)
    const { ring } = await this.ring(scope, reference.ring, call)
    return this.#store.find('secrets', 'name', [ring.id, foldName(reference.name)])
  }

  async #findSecretVersion(secret: StoredSecret, reference: VersionReference) {
    if (reference.by === 'hex') return this.#store.find('secretVersions', 'hex', [secret.id, reference.hex])
    if (reference.by === 'number') {
      return this.#store.find('secretVersions', 'number', [secret.id, sortable(reference.number)])
    }
    const version = await this.#store.get('secretVersions', reference.id)
    return version?.secretId === secret.id ? version : undefined
  }

  async #version(key: Key, reference: VersionReference, reads: Reads): Promise<Stored<KeyVersion> | undefined> {
    switch (reference.by) {
      case 'number':
        return reads.find('versions', 'number', [key.id, sortable(reference.number)])
      case 'hex':
        return reads.find('versions', 'hex', [key.id, reference.hex])
      case 'id': {
        const version = await reads.get('versions', reference.id)
        if (version?.keyId === key.id) return version
        const copy = key.multiRegion && (await reads.find('versions', 'shared', [reference.id, key.realmId]))
        return copy?.keyId === key.id ? copy : undefined
      }
    }
  }

  async #findKey(scope: Scope, reference: KeyReference, call: Call, reads: Reads): Promise<Stored<Key> | undefined> {
    switch (reference.by) {
      case 'id':
        return reads.get('keys', reference.id.toLowerCase())
      case 'multi_region':
        return reads.find('keys', 'multiRegion', [reference.id, scope.realm.id])
      case 'alias': {
        const alias = await reads.find('aliases', 'name', [scope.realm.id, reference.name])
        return alias && reads.get('keys', alias.keyId)
      }
      case 'version': {
        const version = await reads.get('versions', reference.versionId)
        const key = version && (await reads.get('keys', version.keyId))
        if (key?.realmId === scope.realm.id) return key
        const copy = await reads.find('versions', 'shared', [reference.versionId, scope.realm.id])
        return copy === undefined ? key : reads.get('keys', copy.keyId)
      }
      case 'name': {
        const { ring } = await this.ring(scope, reference.ring, call, reads)
        return this.#findInRing(ring, reference.name, call, reads)
      }
    }
  }

  /** GCP names are exact; Azure's ignore case. A key's UUID serves for a name that a dialect's grammar can't express. */
  async #findInRing(ring: KeyRing, name: string, call: Call, reads: Reads): Promise<Stored<Key> | undefined> {
    const named = await reads.find('keys', 'name', [ring.id, foldName(name)])
    if (named !== undefined) return call.dialect === 'gcp' && named.name !== name ? undefined : named
    if (!UUID.test(name)) return undefined
    const key = await reads.get('keys', name.toLowerCase())
    return key?.ringId === ring.id ? key : undefined
  }

  async #lookUp(address: RealmAddress, reads: Reads): Promise<Scope | undefined> {
    if (address.dialect === 'azure') {
      const addressed = await reads.find('rings', 'vault', [address.vault.toLowerCase()])
      const realm = addressed && (await reads.get('realms', addressed.realmId))
      return realm && { realm, addressed }
    }
    const realm = await this.#findRealm(address, reads)
    return realm && { realm, addressed: undefined }
  }

  #findRealm(address: Exclude<RealmAddress, { dialect: 'azure' }>, reads: Reads): Promise<Stored<Realm> | undefined> {
    switch (address.dialect) {
      case 'aws':
        return reads.find('realms', 'aws', [address.account, address.region])
      case 'gcp':
        return reads.find('realms', 'gcp', [address.project, address.location])
      case 'system':
        return reads.get('realms', address.realmId)
    }
  }

  /** Two requests may race to make the same realm: the loser's conflict means that it is there. */
  async #create(address: RealmAddress): Promise<void> {
    const now = this.#clock.now()
    const plan = addressPlan(address)
    try {
      if (plan !== undefined) {
        await this.#store.commit(await newRealm(this.#store, this.#sealer, { ...plan, dialects: DIALECTS, now }))
      } else if (address.dialect === 'azure') {
        const home = await this.#store.get('meta', BUILT_IN_REALM)
        if (typeof home?.value !== 'string') return
        const ring = await newRing(this.#store, this.#sealer, {
          realmId: home.value,
          name: address.vault.toLowerCase(),
          dialects: DIALECTS,
          now,
        })
        await this.#store.commit([{ kind: 'insert', collection: 'rings', row: ring }])
      }
    } catch (error) {
      if (KmsError.from(error).code !== 'conflict') throw error
    }
  }
}

/** For messages: the account where it was looked for, if not the caller's own. */
const elsewhere = ({ realm }: KeyReference) => (realm?.dialect === 'aws' ? { account: realm.account } : {})

const visible = (key: Key, ring: KeyRing, call: Call): boolean =>
  isShown(ring, call.dialect) && call.expresses?.(key) !== false

function isNamed(version: KeyVersion, reference: VersionReference): boolean {
  switch (reference.by) {
    case 'number':
      return version.number === reference.number
    case 'hex':
      return version.hexId === reference.hex
    case 'id':
      return version.id === reference.id || version.shared?.versionId === reference.id
  }
}
