/** Keys as Azure shows them. */
import { createPublicKey } from 'node:crypto'
import { isAsymmetric } from '../../core/algorithm.ts'
import { KmsError } from '../../core/error.ts'
import { effectiveVersionState, type Key, type KeyVersion, usesOfVersion } from '../../core/key.ts'
import type { KeyView } from '../../core/view.ts'
import { knows } from './api-version.ts'
import type { Shown } from './binding.ts'
import {
  curveOf,
  type KeyOp,
  type KeyType,
  keyId,
  keyOpsOf,
  keyTypeOf,
  keyUrl,
  knowsKey,
  recoveryId,
  sizeOf,
} from './names.ts'
import { type Dates, type Deleted, datesOf, deletedOf, type Recovery, recoveryOf } from './recovery.ts'

type JsonWebKey = {
  readonly kid: string
  readonly kty: KeyType
  readonly key_ops: readonly KeyOp[]
  readonly n?: string
  readonly e?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly alg?: string
  readonly pub?: string
}
type Attributes = Dates &
  Recovery & {
    readonly enabled: boolean
    readonly exportable?: false
    readonly hsmPlatform?: string
    readonly key_size?: number
  }
type Tags = { readonly tags?: Readonly<Record<string, string>> }
export type KeyBundle = Tags & { readonly key: JsonWebKey; readonly attributes: Attributes }
export type KeyItem = Tags & { readonly kid: string; readonly attributes: Attributes }
/** Azure's own platforms are 1 and 2, and 0 is its software; a token goes by the name it has in the configuration. */
const SOFTWARE_PLATFORM = '0'

/** A key and where it is. */
type Placed = Pick<KeyView, 'ring' | 'key'>

function attributesOf(shown: Shown, { ring, key }: Placed, version: KeyVersion | undefined): Attributes {
  const enabled =
    key.state === 'pending_deletion'
      ? key.deletion?.previous === 'enabled' && version?.state === 'enabled'
      : version !== undefined && effectiveVersionState(key, version) === 'enabled'
  return {
    enabled,
    ...datesOf(version ?? key),
    ...recoveryOf(shown, ring, key.recoverableDays),
    ...madeOf(shown, key, version),
  }
}

function madeOf(
  { apiVersion }: Shown,
  key: Key,
  version: KeyVersion | undefined,
): Pick<Attributes, 'exportable' | 'hsmPlatform' | 'key_size'> {
  const { spec, backend } = version ?? key
  const size = sizeOf(spec)
  return {
    ...(knows(apiVersion, 'exportable') && { exportable: false }),
    ...(knows(apiVersion, 'hsmPlatform') && { hsmPlatform: key.protection === 'hsm' ? backend : SOFTWARE_PLATFORM }),
    ...(knows(apiVersion, 'keySize') && size !== undefined && { key_size: size }),
  }
}

function tagsOf(key: Key, version: KeyVersion | undefined): Tags {
  const tags = version?.tags ?? key.tags.azure
  return Object.keys(tags).length === 0 ? {} : { tags }
}

/** Whether the dialect can show the key at all. */
export const isShown = (key: Key, apiVersion: string): boolean => knowsKey(apiVersion, key)
const WITHOUT_MATERIAL: ReadonlySet<KeyVersion['state']> = new Set<KeyVersion['state']>([
  'pending_generation',
  'generation_failed',
  'pending_import',
  'import_failed',
  'destroyed',
])
/** Azure has no word for a version without material, so that destroyed ones are not there. */
export const isShownVersion = ({ state, spec, spki }: KeyVersion): boolean =>
  !WITHOUT_MATERIAL.has(state) && (spki !== undefined || !isAsymmetric(spec))

function publicPart(
  spec: Key['spec'],
  spki: Uint8Array,
): Pick<JsonWebKey, 'n' | 'e' | 'crv' | 'x' | 'y' | 'alg' | 'pub'> {
  const { n, e, x, y, alg, pub } = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({
    format: 'jwk',
  })
  if (n !== undefined && e !== undefined) return { n, e }
  if (typeof alg === 'string' && typeof pub === 'string') return { alg, pub }
  const crv = curveOf(spec)
  if (crv === undefined || x === undefined || y === undefined) throw new KmsError('internal')
  return { crv, x, y }
}

function jwkOf(shown: Shown, key: Key, version: KeyVersion | undefined): JsonWebKey {
  const kty = keyTypeOf(key)
  if (kty === undefined) throw new KmsError('key_not_found', { reference: key.name })
  return {
    kid: version === undefined ? keyUrl(shown.base, key) : keyId(shown.base, key, version),
    kty,
    key_ops: keyOpsOf(version === undefined ? key.uses : usesOfVersion(key, version), kty),
    ...(version?.spki !== undefined && publicPart(key.spec, version.spki)),
  }
}

/** @throws KmsError key_not_found, version_destroyed for what Azure can't show */
export function keyBundle(shown: Shown, placed: Placed, version: KeyVersion): KeyBundle {
  const jwk = jwkOf(shown, placed.key, version)
  if (!isShownVersion(version)) throw new KmsError('version_destroyed', { state: version.state })
  return { key: jwk, attributes: attributesOf(shown, placed, version), ...tagsOf(placed.key, version) }
}

function deletionOf(shown: Shown, key: Key): Deleted {
  const { deletion } = key
  if (deletion === undefined) throw new KmsError('key_not_pending_deletion')
  return deletedOf(recoveryId(shown.base, key), deletion)
}

/** The bundle of a key as a whole, which has no public half while it has no current version. */
export const wholeBundle = (shown: Shown, { ring, key, current }: KeyView): KeyBundle => ({
  key: jwkOf(shown, key, current),
  attributes: attributesOf(shown, { ring, key }, current),
  ...tagsOf(key, current),
})

export const deletedBundle = (shown: Shown, view: KeyView): KeyBundle & Deleted => ({
  ...deletionOf(shown, view.key),
  ...wholeBundle(shown, view),
})

/** In lists a key goes by its name alone. */
export const keyItem = (shown: Shown, { ring, key, current }: KeyView): KeyItem => ({
  kid: keyUrl(shown.base, key),
  attributes: attributesOf(shown, { ring, key }, current),
  ...tagsOf(key, current),
})
export const versionItem = (shown: Shown, { ring, key }: Placed, version: KeyVersion): KeyItem => ({
  kid: keyId(shown.base, key, version),
  attributes: attributesOf(shown, { ring, key }, version),
  ...tagsOf(key, version),
})
export const deletedItem = (shown: Shown, view: KeyView): KeyItem & Deleted => ({
  ...deletionOf(shown, view.key),
  ...keyItem(shown, view),
})
