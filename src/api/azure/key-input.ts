/** What create, import and update have in common: operations, attributes, tags. */
import type { Static } from '@sinclair/typebox'
import type { KeyUse } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import type { VersionOptions } from '../../core/ops/material.ts'
import { knows } from './api-version.ts'
import type { Shown } from './binding.ts'
import {
  isForMacs,
  isKeyOp,
  isKeyType,
  KEY_OP_NAMES,
  type KeyOp,
  type KeyType,
  knowsType,
  possibleOps,
  useOf,
  useOfKey,
} from './names.ts'
import { MAX_TAG_LENGTH, type UpdateKeyBody } from './schemas.ts'

type Body = Static<typeof UpdateKeyBody>
type Attributes = Body['attributes']
type Tags = Body['tags']

/** @throws KmsError unsupported_spec */
export function keyType(kty: string, { apiVersion }: Shown): KeyType {
  if (!isKeyType(kty) || !knowsType(apiVersion, kty)) throw new KmsError('unsupported_spec', { kty })
  return kty
}

export const isHsmType = (kty: KeyType): boolean => kty.endsWith('-HSM')

/** @throws KmsError invalid_argument: what a release policy is for is not there */
export function refuseRelease({ release_policy, attributes }: Pick<Body, 'release_policy' | 'attributes'>): void {
  const exportable = attributes?.exportable === true
  if (release_policy !== undefined && !exportable) {
    throw invalidArgument('request', 'Non-exportable keys must not have release policy')
  }
  if (exportable && release_policy === undefined) {
    throw invalidArgument('request', 'Exportable keys must have release policy')
  }
  if (exportable) throw invalidArgument('attributes.exportable', 'exportable keys are not supported')
}

/** @throws KmsError invalid_argument for a name that is no operation, or twice there */
function namedOps(ops: readonly string[] | undefined, possible?: KeyType): readonly KeyOp[] | undefined {
  if (ops === undefined || ops.length === 0) return undefined
  const allowed = possible === undefined ? KEY_OP_NAMES : possibleOps(possible, ops)
  const named = ops.map((op) => {
    if (!isKeyOp(op) || !allowed.includes(op))
      throw invalidArgument('key_ops', `not an operation of ${possible ?? 'these'} keys`)
    return op
  })
  if (new Set(named).size !== named.length) throw invalidArgument('key_ops', 'an operation is named twice')
  return named
}

/** @throws KmsError invalid_argument where the version of the API has no MACs */
export function checkMacs({ apiVersion }: Shown, kty: KeyType, ops: readonly string[] | undefined): void {
  if (isForMacs(kty, ops) && !knows(apiVersion, 'hmac'))
    throw invalidArgument('key_ops', `not an operation of ${kty} keys`)
}

export const namedUses = (ops: readonly string[] | undefined, kty: KeyType): readonly KeyUse[] | undefined =>
  namedOps(ops, kty)?.map((op) => useOf(op, kty))

/** Where the type is not known before the key is found. */
export function usesOfKey(ops: readonly string[] | undefined): ((key: Key) => readonly KeyUse[]) | undefined {
  const named = namedOps(ops)
  if (named === undefined) return undefined
  return (key) => named.map((op) => useOfKey(op, key))
}

export function versionOptions(attributes: Attributes): VersionOptions {
  const { enabled, nbf, exp } = attributes ?? {}
  if (nbf !== undefined && exp !== undefined && exp <= nbf)
    throw invalidArgument('attributes.exp', 'must be later than nbf')
  return {
    enabled,
    ...(nbf !== undefined && { notBefore: nbf * 1000 }),
    ...(exp !== undefined && { expiresAt: exp * 1000 }),
  }
}

export function checkTags(tags: Tags): Tags {
  const tooLong = Object.keys(tags ?? {}).some((name) => name.length > MAX_TAG_LENGTH)
  if (tooLong) throw invalidArgument('tags', `names have at most ${MAX_TAG_LENGTH} characters`)
  return tags
}
