import type { KeyVersion } from '../../../core/key.ts'
import { decapsulate } from '../../../core/ops/decapsulate.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, requireBytes, verifyChecksum } from '../checksums.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'

export const decapsulateBinding = bind(KeyManagementService.method.decapsulate, {
  operation: decapsulate,
  permission: 'cloudkms.cryptoKeyVersions.useToDecapsulate',
  resource: ({ name }) => parseVersion('name', name),
  toInput({ name, ciphertext, ciphertextCrc32c }) {
    checkSize('ciphertext', ciphertext)
    verifyChecksum('ciphertext', ciphertext, ciphertextCrc32c)
    const algorithm = (version: KeyVersion) => {
      const chosen = algorithmInUse(GcpPurpose.KEY_ENCAPSULATION, version)
      requireBytes('ciphertext', ciphertext)
      return chosen
    }
    return { ...versionTarget(parseVersion('name', name)), algorithm, ciphertext }
  },
  toOutput: ({ ring, key, version, secret }, { ciphertextCrc32c }, ctx) => ({
    name: renderVersion(ring, key, version, ctx),
    sharedSecret: secret,
    sharedSecretCrc32c: checksumOf(secret),
    verifiedCiphertextCrc32c: ciphertextCrc32c !== undefined,
    protectionLevel: protectionOf(key),
  }),
})
