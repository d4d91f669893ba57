/** Key rings, keys and versions as Google's messages. */
import { create } from '@bufbuild/protobuf'
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Key, KeyRing, KeyVersion } from '../../core/key.ts'
import type { KeyView, VersionView } from '../../core/view.ts'
import type { WireContext } from '../surface.ts'
import { algorithmOf, GcpAlgorithm, GcpPurpose, GcpState, protectionOf, purposeOf, stateOf } from './algorithms.ts'
import {
  type CryptoKey,
  CryptoKeySchema,
  type CryptoKeyVersion,
  CryptoKeyVersionSchema,
  type KeyRing as GcpKeyRing,
  KeyRingSchema,
} from './gen/google/cloud/kms/v1/resources_pb.js'
import { renderKey, renderRing, renderVersion } from './names.ts'
import { scheduleFields } from './schedule.ts'

/** Keys that Google's contract has no words for are not shown; a single version of another key may be one. */
export const algorithmNumber = (key: Key, chosen: Pick<KeyVersion, 'spec' | 'algorithms'>): GcpAlgorithm =>
  algorithmOf(purposeOf(key), chosen)?.gcp ?? GcpAlgorithm.CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED

export const ringMessage = (ring: KeyRing, ctx: WireContext): GcpKeyRing =>
  create(KeyRingSchema, { name: renderRing(ring, ctx), createTime: timestampFromMs(ring.createdAt) })

/** When its material will be, or was, destroyed. */
function destructionOf(key: Key, version: KeyVersion): { destroyTime?: Timestamp; destroyEventTime?: Timestamp } {
  if (version.state === 'destroyed') {
    const at = timestampFromMs(version.destroyedAt ?? version.updatedAt)
    return { destroyTime: at, destroyEventTime: at }
  }
  const due = version.destroyAt ?? key.deletion?.dueAt
  const scheduled = stateOf(key, version) === GcpState.DESTROY_SCHEDULED
  return scheduled && due !== undefined ? { destroyTime: timestampFromMs(due) } : {}
}

export function versionMessage(view: Omit<VersionView, 'current'>, ctx: WireContext): CryptoKeyVersion {
  const { ring, key, version } = view
  const createTime = timestampFromMs(version.createdAt)
  return create(CryptoKeyVersionSchema, {
    name: renderVersion(ring, key, version, ctx),
    state: stateOf(key, version),
    protectionLevel: protectionOf(key),
    algorithm: algorithmNumber(key, version),
    createTime,
    generateTime: createTime,
    ...destructionOf(key, version),
  })
}

/** The primary is for encryption only: other purposes name a version in every request. */
const primaryOf = (view: KeyView, ctx: WireContext): { readonly primary?: CryptoKeyVersion } =>
  view.current !== undefined && purposeOf(view.key) === GcpPurpose.ENCRYPT_DECRYPT
    ? { primary: versionMessage({ ...view, version: view.current }, ctx) }
    : {}

export function keyMessage(view: KeyView, ctx: WireContext): CryptoKey {
  const { ring, key } = view
  return create(CryptoKeySchema, {
    name: renderKey(ring, key, ctx),
    ...primaryOf(view, ctx),
    purpose: purposeOf(key),
    createTime: timestampFromMs(key.createdAt),
    versionTemplate: { protectionLevel: protectionOf(key), algorithm: algorithmNumber(key, key.template ?? key) },
    labels: { ...key.tags.gcp },
    ...scheduleFields(key),
    importOnly: key.origin === 'imported',
    destroyScheduledDuration: {
      seconds: BigInt(Math.floor(key.destroyDelay / 1000)),
      nanos: (key.destroyDelay % 1000) * 1_000_000,
    },
  })
}
