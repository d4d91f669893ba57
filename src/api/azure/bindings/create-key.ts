import type { Static } from '@sinclair/typebox'
import type { KeySpec, KeyUse } from '../../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../../core/error.ts'
import { type PutKeyInput, putKey } from '../../../core/ops/put-key.ts'
import { bindBody } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import {
  CURVES,
  defaultKeyOps,
  isCurve,
  isKeyOp,
  isKeyType,
  isReservedName,
  isRsaSize,
  KEY_OPS,
  type KeyType,
  parseKeyName,
  RSA_SIZES,
} from '../names.ts'
import { CreateKeyBody, MAX_TAG_LENGTH } from '../schemas.ts'

type Body = Static<typeof CreateKeyBody>

const DEFAULT_RSA_SIZE = 2048
const PUBLIC_EXPONENT = 65_537

function keyType(kty: string): KeyType {
  if (!isKeyType(kty)) throw new KmsError('unsupported_spec', { kty })
  return kty
}

function specOf(kty: KeyType, body: Body): KeySpec {
  if (kty === 'EC' || kty === 'EC-HSM') {
    const curve = body.crv ?? 'P-256'
    if (!isCurve(curve)) throw invalidArgument('crv', 'not a curve of this service')
    return CURVES[curve]
  }
  const bits = body.key_size ?? DEFAULT_RSA_SIZE
  if (!isRsaSize(bits)) throw invalidArgument('key_size', 'must be 2048, 3072 or 4096')
  if ((body.public_exponent ?? PUBLIC_EXPONENT) !== PUBLIC_EXPONENT) {
    throw invalidArgument('public_exponent', `must be ${PUBLIC_EXPONENT}`)
  }
  return RSA_SIZES[bits]
}

function usesOf(kty: KeyType, ops: readonly string[] | undefined): readonly KeyUse[] | undefined {
  if (ops === undefined || ops.length === 0) return undefined
  const possible: readonly string[] = defaultKeyOps(kty)
  const uses = ops.map((op) => {
    if (!isKeyOp(op) || !possible.includes(op)) throw invalidArgument('key_ops', `not an operation of ${kty} keys`)
    return KEY_OPS[op]
  })
  if (new Set(uses).size !== uses.length) throw invalidArgument('key_ops', 'an operation is named twice')
  return uses
}

function versionOf(attributes: Body['attributes']): NonNullable<PutKeyInput['version']> {
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

function checkTags(tags: Body['tags']): Body['tags'] {
  const tooLong = Object.keys(tags ?? {}).some((name) => name.length > MAX_TAG_LENGTH)
  if (tooLong) throw invalidArgument('tags', `names have at most ${MAX_TAG_LENGTH} characters`)
  return tags
}

export const createKey = bindBody(
  putKey,
  CreateKeyBody,
)({
  wire: 'createKey',
  method: 'POST',
  paths: ['/keys/:name/create'],
  toInput({ name, body }) {
    const kty = keyType(body.kty)
    if (body.release_policy !== undefined) throw invalidArgument('release_policy', 'exportable keys are not supported')
    if (isReservedName(name)) throw new KmsError('name_reserved', { reference: name })
    return {
      ring: { by: 'default' },
      name: parseKeyName(name),
      spec: specOf(kty, body),
      protection: kty.endsWith('-HSM') ? 'hsm' : 'software',
      uses: usesOf(kty, body.key_ops),
      defaultUses: defaultKeyOps(kty).map((op) => KEY_OPS[op]),
      tags: checkTags(body.tags),
      version: versionOf(body.attributes),
    }
  },
  toOutput({ key, current }, { base }) {
    if (current === undefined) throw new KmsError('internal')
    return keyBundle(base, key, current)
  },
})
