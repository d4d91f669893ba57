import type { KeyVersion } from '../../../core/key.ts'
import { generateMac } from '../../../core/ops/generate-mac.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, requireBytes, verifyChecksum } from '../checksums.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'

export const macSignBinding = bind(KeyManagementService.method.macSign, {
  operation: generateMac,
  permission: 'cloudkms.cryptoKeyVersions.useToSign',
  resource: ({ name }) => parseVersion('name', name),
  toInput({ name, data, dataCrc32c }) {
    checkSize('data', data)
    verifyChecksum('data', data, dataCrc32c)
    const algorithm = (version: KeyVersion) => {
      const chosen = algorithmInUse(GcpPurpose.MAC, version)
      requireBytes('data', data)
      return chosen
    }
    return { ...versionTarget(parseVersion('name', name)), algorithm, message: data }
  },
  toOutput: ({ ring, key, version, mac }, { dataCrc32c }, ctx) => ({
    name: renderVersion(ring, key, version, ctx),
    mac,
    macCrc32c: checksumOf(mac),
    verifiedDataCrc32c: dataCrc32c !== undefined,
    protectionLevel: protectionOf(key),
  }),
})
