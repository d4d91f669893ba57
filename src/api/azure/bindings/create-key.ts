import type { Static } from '@sinclair/typebox'
import type { KeySpec } from '../../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../../core/error.ts'
import { putKey } from '../../../core/ops/put-key.ts'
import { bindBody } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { checkMacs, checkTags, isHsmType, keyType, namedUses, refuseRelease, versionOptions } from '../key-input.ts'
import {
  AES_SIZES,
  AKP_ALGORITHMS,
  CURVES,
  defaultUses,
  familyOf,
  isAesSize,
  isAkpAlgorithm,
  isCurve,
  isForMacs,
  isMacSize,
  isReservedName,
  isRsaSize,
  type KeyType,
  MAC_SIZES,
  parseKeyName,
  RSA_SIZES,
} from '../names.ts'
import { CreateKeyBody } from '../schemas.ts'

type Body = Static<typeof CreateKeyBody>

const DEFAULT_RSA_SIZE = 2048
const DEFAULT_OCT_SIZE = 256
const PUBLIC_EXPONENT = 65_537

function akpSpec({ alg }: Body): KeySpec {
  if (alg === undefined || !isAkpAlgorithm(alg)) throw invalidArgument('alg', 'not an algorithm of AKP keys')
  return AKP_ALGORITHMS[alg]
}

function ecSpec({ crv = 'P-256' }: Body): KeySpec {
  if (!isCurve(crv)) throw invalidArgument('crv', 'not a curve of this service')
  return CURVES[crv]
}

function octSpec({ kty, key_ops: ops, key_size: bits = DEFAULT_OCT_SIZE }: Body): KeySpec {
  if (!isForMacs(kty as KeyType, ops)) {
    if (!isAesSize(bits)) throw invalidArgument('key_size', 'must be 128, 192 or 256')
    return AES_SIZES[bits]
  }
  if (!isMacSize(bits)) throw invalidArgument('key_size', 'must be 256, 384 or 512 for sign and verify')
  return MAC_SIZES[bits]
}

function rsaSpec({ key_size: bits = DEFAULT_RSA_SIZE, public_exponent: exponent = PUBLIC_EXPONENT }: Body): KeySpec {
  if (!isRsaSize(bits)) throw invalidArgument('key_size', 'must be 2048, 3072 or 4096')
  if (exponent !== PUBLIC_EXPONENT) throw invalidArgument('public_exponent', `must be ${PUBLIC_EXPONENT}`)
  return RSA_SIZES[bits]
}

const SPECS = { RSA: rsaSpec, EC: ecSpec, AKP: akpSpec, oct: octSpec } as const

export const createKey = bindBody(
  putKey,
  CreateKeyBody,
)({
  wire: 'createKey',
  method: 'POST',
  paths: ['/keys/:name/create'],
  toInput(request) {
    const { name, body, managedHsm } = request
    const kty = keyType(body.kty, request)
    // A Managed HSM has no keys outside its HSMs.
    if (managedHsm && !isHsmType(kty)) throw new KmsError('unsupported_spec', { kty })
    refuseRelease(body)
    checkMacs(request, kty, body.key_ops)
    if (isReservedName(name)) throw new KmsError('name_reserved', { reference: name })
    return {
      ring: { by: 'default' },
      name: parseKeyName(name),
      spec: SPECS[familyOf(kty)](body),
      protection: isHsmType(kty) ? 'hsm' : 'software',
      uses: namedUses(body.key_ops, kty),
      defaultUses: defaultUses(kty, body.key_ops),
      tags: checkTags(body.tags),
      version: versionOptions(body.attributes),
    }
  },
  toOutput(view, request) {
    if (view.current === undefined) throw new KmsError('internal')
    return keyBundle(request, view, view.current)
  },
})
