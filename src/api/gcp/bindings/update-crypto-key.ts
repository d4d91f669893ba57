import { invalidArgument } from '../../../core/error.ts'
import type { Key } from '../../../core/key.ts'
import { type ChangeKeyInput, changeKey, type Template } from '../../../core/ops/change-key.ts'
import {
  ALGORITHM_ROWS,
  GcpAlgorithm,
  GcpPurpose,
  ProtectionLevel,
  protectionOf,
  purposeOf,
  rowFor,
} from '../algorithms.ts'
import { bind } from '../binding.ts'
import { type CryptoKey, CryptoKeySchema } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService, type UpdateCryptoKeyRequest } from '../gen/google/cloud/kms/v1/service_pb.js'
import { checkLabels } from '../labels.ts'
import { keyReference, parseKey } from '../names.ts'
import { keyMessage } from '../resources.ts'
import { readNextRotation, readPeriod } from '../schedule.ts'
import { badField, RpcError } from '../status.ts'
import { readMask } from '../update-mask.ts'

const JUSTIFICATIONS = 'key_access_justifications_policy'
const TEMPLATE = 'version_template'
const ALGORITHM = `${TEMPLATE}.algorithm`
const PROTECTION = `${TEMPLATE}.protection_level`
const UPDATABLE = [
  'labels',
  'rotation_period',
  'next_rotation_time',
  TEMPLATE,
  ALGORITHM,
  PROTECTION,
  JUSTIFICATIONS,
] as const
type Mask = ReadonlySet<(typeof UPDATABLE)[number]>

const nameOf = ({ cryptoKey }: UpdateCryptoKeyRequest) => parseKey('crypto_key.name', cryptoKey?.name ?? '')

/** Asked by the kernel, which knows the core's errors alone. */
function templateFor(key: Key, asked: GcpAlgorithm): Template | undefined {
  const purpose = purposeOf(key)
  const unspecified = asked === GcpAlgorithm.CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED
  if (unspecified && purpose === GcpPurpose.ENCRYPT_DECRYPT) return undefined
  const row = ALGORITHM_ROWS.find((candidate) => candidate.gcp === asked)
  if (row?.purpose !== purpose) {
    const why = unspecified
      ? 'it is required'
      : `${GcpAlgorithm[asked]} is not for a key of purpose ${GcpPurpose[purpose]}`
    throw invalidArgument(`crypto_key.${ALGORITHM}`, why)
  }
  if (row.hsmOnly === true && key.protection !== 'hsm') {
    throw invalidArgument(`crypto_key.${ALGORITHM}`, `${GcpAlgorithm[asked]} requires protection level HSM`)
  }
  return { spec: row.spec, ...(row.algorithm !== undefined && { algorithms: [row.algorithm] }) }
}

function readTemplate(mask: Mask, { versionTemplate }: CryptoKey): ChangeKeyInput['template'] {
  const whole = mask.has(TEMPLATE)
  const algorithm = versionTemplate?.algorithm ?? GcpAlgorithm.CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED
  const level = versionTemplate?.protectionLevel ?? ProtectionLevel.PROTECTION_LEVEL_UNSPECIFIED
  const named = whole || mask.has(ALGORITHM)
  if (!named && !mask.has(PROTECTION)) return undefined
  const row = ALGORITHM_ROWS.find((candidate) => candidate.gcp === algorithm)
  // An algorithm that no purpose has here is refused before there is a key to look at.
  if (named && algorithm !== 0 && row === undefined) rowFor(GcpPurpose.ENCRYPT_DECRYPT, algorithm)
  return (key) => {
    const levelNamed = whole || mask.has(PROTECTION)
    if (levelNamed && level !== ProtectionLevel.PROTECTION_LEVEL_UNSPECIFIED && level !== protectionOf(key)) {
      throw invalidArgument(`crypto_key.${PROTECTION}`, 'it is immutable')
    }
    return named ? templateFor(key, algorithm) : undefined
  }
}

function readSchedule(mask: Mask, key: CryptoKey, now: number): ChangeKeyInput['schedule'] {
  const change = {
    ...(mask.has('rotation_period') && { period: readPeriod(key) }),
    ...(mask.has('next_rotation_time') && { nextAt: readNextRotation(key.nextRotationTime, now) }),
  }
  return Object.keys(change).length === 0 ? undefined : change
}

export const updateCryptoKeyBinding = bind(KeyManagementService.method.updateCryptoKey, {
  operation: changeKey,
  permission: 'cloudkms.cryptoKeys.update',
  resource: nameOf,
  toInput(request, { now }): ChangeKeyInput {
    const key = request.cryptoKey
    if (key === undefined) throw badField('crypto_key', 'The crypto_key field is required.')
    const mask = readMask(request.updateMask, CryptoKeySchema, UPDATABLE)
    if (mask.has(JUSTIFICATIONS)) {
      throw new RpcError('UNIMPLEMENTED', `Updating ${JUSTIFICATIONS} is not supported.`)
    }
    return {
      key: keyReference(nameOf(request)),
      tags: mask.has('labels') ? checkLabels(key.labels) : undefined,
      schedule: readSchedule(mask, key, now),
      template: readTemplate(mask, key),
    }
  },
  toOutput: (view, _request, ctx) => keyMessage(view, ctx),
})
