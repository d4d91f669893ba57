import type { Static } from '@sinclair/typebox'
import type { KeySpec } from '../../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../../core/error.ts'
import { putKey } from '../../../core/ops/put-key.ts'
import { bindBody } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { checkTags, keyType, namedUses, refuseRelease, versionOptions } from '../key-input.ts'
import {
  AKP_ALGORITHMS,
  CURVES,
  defaultKeyOps,
  isAkpAlgorithm,
  isCurve,
  isReservedName,
  isRsaSize,
  KEY_OPS,
  type KeyType,
  parseKeyName,
  RSA_SIZES,
} from '../names.ts'
import { CreateKeyBody } from '../schemas.ts'

type Body = Static<typeof CreateKeyBody>

const DEFAULT_RSA_SIZE = 2048
const PUBLIC_EXPONENT = 65_537

function specOf(kty: KeyType, body: Body): KeySpec {
  if (kty === 'AKP' || kty === 'AKP-HSM') {
    if (body.alg === undefined || !isAkpAlgorithm(body.alg))
      throw invalidArgument('alg', 'not an algorithm of AKP keys')
    return AKP_ALGORITHMS[body.alg]
  }
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

export const createKey = bindBody(
  putKey,
  CreateKeyBody,
)({
  wire: 'createKey',
  method: 'POST',
  paths: ['/keys/:name/create'],
  toInput({ name, body, apiVersion }) {
    const kty = keyType(body.kty, apiVersion)
    refuseRelease(body)
    if (isReservedName(name)) throw new KmsError('name_reserved', { reference: name })
    return {
      ring: { by: 'default' },
      name: parseKeyName(name),
      spec: specOf(kty, body),
      protection: kty.endsWith('-HSM') ? 'hsm' : 'software',
      uses: namedUses(body.key_ops, kty),
      defaultUses: defaultKeyOps(kty).map((op) => KEY_OPS[op]),
      tags: checkTags(body.tags),
      version: versionOptions(body.attributes),
    }
  },
  toOutput({ key, current }, { base }) {
    if (current === undefined) throw new KmsError('internal')
    return keyBundle(base, key, current)
  },
})
