import type { Duration } from '@bufbuild/protobuf/wkt'
import { type CreateKeyInput, createKey } from '../../../core/ops/create-key.ts'
import type { WireContext } from '../../surface.ts'
import {
  type AlgorithmRow,
  CORE_PURPOSES,
  GcpAlgorithm,
  GcpPurpose,
  ProtectionLevel,
  protectionFor,
  rowFor,
} from '../algorithms.ts'
import { bind } from '../binding.ts'
import type { CryptoKey } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { type CreateCryptoKeyRequest, KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { checkLabels } from '../labels.ts'
import { checkId, parseRing, ringReference } from '../names.ts'
import { keyMessage } from '../resources.ts'
import { readSchedule } from '../schedule.ts'
import { badArgument, RpcError } from '../status.ts'

const DAY_SECONDS = 86_400
const MIN_DESTROY_DAYS = 1
const MAX_DESTROY_DAYS = 120

function readPurpose(purpose: GcpPurpose) {
  const core = CORE_PURPOSES.get(purpose)
  if (core !== undefined) return core
  const name = GcpPurpose[purpose]
  if (name === undefined || purpose === GcpPurpose.CRYPTO_KEY_PURPOSE_UNSPECIFIED) {
    throw badArgument('The purpose of a CryptoKey must be specified.')
  }
  throw new RpcError('UNIMPLEMENTED', `Purpose ${name} is not supported.`)
}

/** Google keeps the waiting time of a destruction between one day and 120. */
function readDestroyDelay(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined
  const seconds = Number(duration.seconds) + duration.nanos / 1e9
  if (seconds < MIN_DESTROY_DAYS * DAY_SECONDS || seconds > MAX_DESTROY_DAYS * DAY_SECONDS) {
    throw badArgument('The destroy_scheduled_duration must be between 24 hours and 120 days.')
  }
  return Math.round(seconds * 1000)
}

/** What Google has and this server does not is refused, never accepted and forgotten. */
function refuseUnsupported(request: CreateCryptoKeyRequest, key: CryptoKey): void {
  const unsupported = {
    import_only: key.importOnly,
    crypto_key_backend: key.cryptoKeyBackend !== '',
    key_access_justifications_policy: key.keyAccessJustificationsPolicy !== undefined,
    trusted_wrapping_enabled: request.trustedWrappingEnabled,
  }
  const [field] = Object.entries(unsupported).find(([, given]) => given) ?? []
  if (field !== undefined) throw new RpcError('UNIMPLEMENTED', `The ${field} field is not supported.`)
}

function checkProtection(row: AlgorithmRow, level: ProtectionLevel): void {
  if (row.hsmOnly === true && level !== ProtectionLevel.HSM) {
    throw badArgument(`Algorithm ${GcpAlgorithm[row.gcp]} requires protection level HSM.`)
  }
}

function toInput(request: CreateCryptoKeyRequest, { now }: WireContext): CreateKeyInput {
  const key = request.cryptoKey
  if (key === undefined) throw badArgument('The crypto_key field is required.')
  const purpose = readPurpose(key.purpose)
  refuseUnsupported(request, key)
  const level = key.versionTemplate?.protectionLevel ?? ProtectionLevel.PROTECTION_LEVEL_UNSPECIFIED
  const asked = key.versionTemplate?.algorithm ?? GcpAlgorithm.CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED
  const row = rowFor(key.purpose, asked)
  checkProtection(row, level)
  return {
    ring: ringReference(parseRing('parent', request.parent)),
    name: request.cryptoKeyId,
    spec: row.spec,
    purpose,
    protection: protectionFor(level),
    tags: checkLabels(key.labels),
    destroyDelay: readDestroyDelay(key.destroyScheduledDuration),
    withoutVersion: request.skipInitialVersionCreation,
    schedule: readSchedule(key, now),
    version: row.algorithm === undefined ? {} : { algorithms: [row.algorithm] },
  }
}

export const createCryptoKeyBinding = bind(KeyManagementService.method.createCryptoKey, {
  operation: createKey,
  permission: 'cloudkms.cryptoKeys.create',
  resource: ({ parent, cryptoKeyId }) => ({
    ...parseRing('parent', parent),
    key: checkId('crypto_key_id', cryptoKeyId),
  }),
  toInput,
  toOutput: (view, _request, ctx) => keyMessage(view, ctx),
})
