import { specRow } from '../../../core/algorithm.ts'
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
import { badArgument } from '../status.ts'

const isPostQuantum = ({ spec }: KeyVersion): boolean => specRow(spec).type === 'ml-dsa'
const refused = (format: string, kind: string) =>
  badArgument(`Public key format ${format} is not available for ${kind}.`)

/** The key's bytes in the format that was asked for. Post-quantum keys have one of their own, and no default. */
function exportKey(version: KeyVersion, spki: Uint8Array, format: Format): Uint8Array {
  const name = Format[format] ?? String(format)
  if (isPostQuantum(version)) {
    if (format !== Format.NIST_PQC) throw refused(name, 'a post-quantum algorithm: NIST_PQC is required')
    return rawPublicKey(spki)
  }
  if (format === Format.DER) return spki
  if (format === Format.PEM || format === Format.PUBLIC_KEY_FORMAT_UNSPECIFIED) {
    return Buffer.from(encodePem('PUBLIC KEY', spki))
  }
  throw refused(name, 'this algorithm')
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
  toOutput: ({ ring, key, version, spki }, request, ctx) => ({
    name: renderVersion(ring, key, version, ctx),
    algorithm: algorithmNumber(key, version),
    protectionLevel: protectionOf(key),
    ...exported(exportKey(version, spki, request.publicKeyFormat), request),
  }),
})
