/** Keys as Azure shows them. */
import { createPublicKey } from 'node:crypto'
import { isAsymmetric } from '../../core/algorithm.ts'
import { KmsError } from '../../core/error.ts'
import { effectiveVersionState, type Key, type KeyVersion } from '../../core/key.ts'
import type { KeyView } from '../../core/view.ts'
import { curveOf, type KeyOp, type KeyType, keyId, keyOpsOf, keyTypeOf, keyUrl, knowsAkp, recoveryId } from './names.ts'

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
type Attributes = {
  readonly enabled: boolean
  readonly nbf?: number
  readonly exp?: number
  readonly created: number
  readonly updated: number
  readonly recoveryLevel: string
  readonly recoverableDays: number
  readonly exportable: false
}
type Tags = { readonly tags?: Readonly<Record<string, string>> }
export type KeyBundle = Tags & { readonly key: JsonWebKey; readonly attributes: Attributes }
export type KeyItem = Tags & { readonly kid: string; readonly attributes: Attributes }
type Deleted = { readonly recoveryId: string; readonly deletedDate: number; readonly scheduledPurgeDate: number }

const seconds = (ms: number): number => Math.floor(ms / 1000)

/** Below Azure's default the vault's owner has shortened the period, which has a level of its own. */
const DEFAULT_RECOVERABLE_DAYS = 90

function attributesOf(key: Key, version: KeyVersion | undefined): Attributes {
  const enabled =
    key.state === 'pending_deletion'
      ? key.deletion?.previous !== 'disabled' && version?.state === 'enabled'
      : version !== undefined && effectiveVersionState(key, version) === 'enabled'
  return {
    enabled,
    ...(version?.notBefore !== undefined && { nbf: seconds(version.notBefore) }),
    ...(version?.expiresAt !== undefined && { exp: seconds(version.expiresAt) }),
    created: seconds((version ?? key).createdAt),
    updated: seconds((version ?? key).updatedAt),
    recoveryLevel:
      key.recoverableDays < DEFAULT_RECOVERABLE_DAYS ? 'CustomizedRecoverable+Purgeable' : 'Recoverable+Purgeable',
    recoverableDays: key.recoverableDays,
    exportable: false,
  }
}

const tagsOf = (key: Key): Tags => (Object.keys(key.tags.azure).length === 0 ? {} : { tags: key.tags.azure })

/** Whether the dialect can show the key at all. */
export function isShown(key: Key, apiVersion: string): boolean {
  const kty = keyTypeOf(key)
  return kty !== undefined && (!kty.startsWith('AKP') || knowsAkp(apiVersion))
}
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

function jwkOf(base: string, key: Key, version: KeyVersion | undefined): JsonWebKey {
  const kty = keyTypeOf(key)
  if (kty === undefined) throw new KmsError('key_not_found', { reference: key.name })
  return {
    kid: version === undefined ? keyUrl(base, key) : keyId(base, key, version),
    kty,
    key_ops: keyOpsOf(key.uses, kty),
    ...(version?.spki !== undefined && publicPart(key.spec, version.spki)),
  }
}

/** @throws KmsError key_not_found, version_destroyed for what Azure can't show */
export function keyBundle(base: string, key: Key, version: KeyVersion): KeyBundle {
  const jwk = jwkOf(base, key, version)
  if (!isShownVersion(version)) throw new KmsError('version_destroyed', { state: version.state })
  return { key: jwk, attributes: attributesOf(key, version), ...tagsOf(key) }
}

function deletionOf(base: string, key: Key): Deleted {
  const { deletion } = key
  if (deletion === undefined) throw new KmsError('key_not_pending_deletion')
  return {
    recoveryId: recoveryId(base, key),
    deletedDate: seconds(deletion.requestedAt),
    scheduledPurgeDate: seconds(deletion.dueAt),
  }
}

/** The bundle of a key as a whole, which has no public half while it has no current version. */
export const wholeBundle = (base: string, { key, current }: KeyView): KeyBundle => ({
  key: jwkOf(base, key, current),
  attributes: attributesOf(key, current),
  ...tagsOf(key),
})

export const deletedBundle = (base: string, view: KeyView): KeyBundle & Deleted => ({
  ...deletionOf(base, view.key),
  ...wholeBundle(base, view),
})

/** In lists a key goes by its name alone. */
export const keyItem = (base: string, { key, current }: Pick<KeyView, 'key' | 'current'>): KeyItem => ({
  kid: keyUrl(base, key),
  attributes: attributesOf(key, current),
  ...tagsOf(key),
})
export const versionItem = (base: string, key: Key, version: KeyVersion): KeyItem => ({
  kid: keyId(base, key, version),
  attributes: attributesOf(key, version),
  ...tagsOf(key),
})
export const deletedItem = (base: string, view: KeyView): KeyItem & Deleted => ({
  ...deletionOf(base, view.key),
  ...keyItem(base, view),
})
