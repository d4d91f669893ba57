/** What create, import and update have in common: operations, attributes, tags. */
import type { Static } from '@sinclair/typebox'
import type { KeyUse } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { VersionOptions } from '../../core/ops/material.ts'
import { defaultKeyOps, isKeyOp, isKeyType, KEY_OPS, type KeyType, knowsAkp } from './names.ts'
import { MAX_TAG_LENGTH, type UpdateKeyBody } from './schemas.ts'

type Body = Static<typeof UpdateKeyBody>
type Attributes = Body['attributes']
type Tags = Body['tags']

/** @throws KmsError unsupported_spec */
export function keyType(kty: string, apiVersion: string): KeyType {
  if (!isKeyType(kty) || (kty.startsWith('AKP') && !knowsAkp(apiVersion)))
    throw new KmsError('unsupported_spec', { kty })
  return kty
}

/** @throws KmsError invalid_argument: what a release policy is for is not there */
export function refuseRelease({ release_policy }: Pick<Body, 'release_policy'>): void {
  if (release_policy !== undefined) throw invalidArgument('release_policy', 'exportable keys are not supported')
}

/** @throws KmsError invalid_argument for a name that is no operation, or twice there */
export function namedUses(ops: readonly string[] | undefined, possible?: KeyType): readonly KeyUse[] | undefined {
  if (ops === undefined || ops.length === 0) return undefined
  const allowed: readonly string[] = possible === undefined ? Object.keys(KEY_OPS) : defaultKeyOps(possible)
  const uses = ops.map((op) => {
    if (!isKeyOp(op) || !allowed.includes(op))
      throw invalidArgument('key_ops', `not an operation of ${possible ?? 'these'} keys`)
    return KEY_OPS[op]
  })
  if (new Set(uses).size !== uses.length) throw invalidArgument('key_ops', 'an operation is named twice')
  return uses
}

export function versionOptions(attributes: Attributes): VersionOptions {
  const { enabled, nbf, exp, exportable } = attributes ?? {}
  if (exportable === true) throw invalidArgument('attributes.exportable', 'exportable keys are not supported')
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
