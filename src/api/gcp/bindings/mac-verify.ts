import { invalidArgument } from '../../../core/error.ts'
import type { KeyVersion } from '../../../core/key.ts'
import { macBytes, verifyMac } from '../../../core/ops/verify-mac.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, requireBytes, verifyChecksum } from '../checksums.ts'
import { KeyManagementService, type MacVerifyRequest } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'

/** A MAC that can't be one of the key's is refused, as Google does; a wrong one is an answer. */
const algorithmFor =
  ({ data, mac }: MacVerifyRequest) =>
  (version: KeyVersion) => {
    const algorithm = algorithmInUse(GcpPurpose.MAC, version)
    requireBytes('data', data)
    requireBytes('mac', mac)
    const expected = macBytes(algorithm)
    if (mac.length !== expected)
      throw invalidArgument('mac', `it is ${mac.length} bytes long, ${expected} are required`)
    return algorithm
  }

export const macVerifyBinding = bind(KeyManagementService.method.macVerify, {
  operation: verifyMac,
  permission: 'cloudkms.cryptoKeyVersions.useToVerify',
  resource: ({ name }) => parseVersion('name', name),
  toInput(request) {
    const { name, data, mac } = request
    checkSize('data', data)
    verifyChecksum('data', data, request.dataCrc32c)
    verifyChecksum('mac', mac, request.macCrc32c)
    return { ...versionTarget(parseVersion('name', name)), algorithm: algorithmFor(request), message: data, mac }
  },
  toOutput: ({ ring, key, version, valid }, { dataCrc32c, macCrc32c }, ctx) => ({
    name: renderVersion(ring, key, version, ctx),
    success: valid,
    verifiedDataCrc32c: dataCrc32c !== undefined,
    verifiedMacCrc32c: macCrc32c !== undefined,
    verifiedSuccessIntegrity: valid,
    protectionLevel: protectionOf(key),
  }),
})
