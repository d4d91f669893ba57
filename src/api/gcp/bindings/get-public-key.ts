import { type KeySpecRow, specRow } from '../../../core/algorithm.ts'
import type { KeyVersion } from '../../../core/key.ts'
import { getPublicKey } from '../../../core/ops/get-public-key.ts'
import { encodePem } from '../../codec/pem.ts'
import { rawPublicKey } from '../../codec/spki.ts'
import { protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checksumOf } from '../checksums.ts'
import { PublicKey_PublicKeyFormat as Format } from '../gen/google/cloud/kms/v1/resources_pb.js'
import { type GetPublicKeyRequest, KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'
import { algorithmNumber } from '../resources.ts'
import { badField } from '../status.ts'

/** The formats of post-quantum keys, which have no default one; Tink's stand-in for the service tells them apart so. */
const POST_QUANTUM: Partial<Record<KeySpecRow['type'], readonly Format[]>> = {
  'ml-dsa': [Format.NIST_PQC, Format.PEM, Format.DER],
  'slh-dsa': [Format.NIST_PQC],
  'ml-kem': [Format.NIST_PQC, Format.PEM, Format.DER],
  'x-wing': [Format.XWING_RAW_BYTES],
}
const CLASSICAL: readonly Format[] = [Format.PUBLIC_KEY_FORMAT_UNSPECIFIED, Format.PEM, Format.DER]

/** @throws RpcError for a format that the algorithm does not have */
function checkFormat(version: KeyVersion, format: Format): void {
  const formats = POST_QUANTUM[specRow(version.spec).type] ?? CLASSICAL
  if (formats.includes(format)) return
  const names = formats.filter((one) => one !== Format.PUBLIC_KEY_FORMAT_UNSPECIFIED).map((one) => Format[one])
  throw badField('public_key_format', `Only ${names.join(', ')} format is supported for the algorithm of the key.`)
}

function exportKey(spki: Uint8Array, format: Format): Uint8Array {
  if (format === Format.DER) return spki
  if (format === Format.NIST_PQC || format === Format.XWING_RAW_BYTES) return rawPublicKey(spki)
  return Buffer.from(encodePem('PUBLIC KEY', spki))
}

/** Without a format the text goes to `pem`, else the bytes go to `public_key`. */
function exported(data: Uint8Array, { publicKeyFormat }: GetPublicKeyRequest) {
  const checksum = checksumOf(data)
  if (publicKeyFormat === Format.PUBLIC_KEY_FORMAT_UNSPECIFIED) {
    return { pem: Buffer.from(data).toString('latin1'), pemCrc32c: checksum }
  }
  return { publicKeyFormat, publicKey: { data, crc32cChecksum: checksum } }
}

export const getPublicKeyBinding = bind(KeyManagementService.method.getPublicKey, {
  operation: getPublicKey,
  permission: 'cloudkms.cryptoKeyVersions.viewPublicKey',
  resource: ({ name }) => parseVersion('name', name),
  toInput: ({ name }) => versionTarget(parseVersion('name', name)),
  toOutput({ ring, key, version, spki }, request, ctx) {
    checkFormat(version, request.publicKeyFormat)
    return {
      name: renderVersion(ring, key, version, ctx),
      algorithm: algorithmNumber(key, version),
      protectionLevel: protectionOf(key),
      ...exported(exportKey(spki, request.publicKeyFormat), request),
    }
  },
})
