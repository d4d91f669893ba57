import type { KeyVersion } from '../../../core/key.ts'
import { decrypt } from '../../../core/ops/decrypt.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, verifyChecksum } from '../checksums.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, versionTarget } from '../names.ts'

const algorithmFor = (version: KeyVersion) => algorithmInUse(GcpPurpose.ASYMMETRIC_DECRYPT, version)

export const asymmetricDecryptBinding = bind(KeyManagementService.method.asymmetricDecrypt, {
  operation: decrypt,
  permission: 'cloudkms.cryptoKeyVersions.useToDecrypt',
  resource: ({ name }) => parseVersion('name', name),
  toInput({ name, ciphertext, ciphertextCrc32c }) {
    checkSize('ciphertext', ciphertext)
    verifyChecksum('ciphertext', ciphertext, ciphertextCrc32c)
    return { ...versionTarget(parseVersion('name', name)), algorithm: algorithmFor, ciphertext }
  },
  toOutput: ({ key, plaintext }, { ciphertextCrc32c }) => ({
    plaintext,
    plaintextCrc32c: checksumOf(plaintext),
    verifiedCiphertextCrc32c: ciphertextCrc32c !== undefined,
    protectionLevel: protectionOf(key),
  }),
})
