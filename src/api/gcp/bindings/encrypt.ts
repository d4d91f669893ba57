import { type EncryptInput, encrypt } from '../../../core/ops/encrypt.ts'
import { protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkHsmSize, checkSize, checksumOf, verifyChecksum } from '../checksums.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKeyOrVersion, renderVersion } from '../names.ts'

export const encryptBinding = bind(KeyManagementService.method.encrypt, {
  operation: encrypt,
  permission: 'cloudkms.cryptoKeyVersions.useToEncrypt',
  resource: ({ name }) => parseKeyOrVersion('name', name),
  toInput(request): EncryptInput {
    const { plaintext, additionalAuthenticatedData: aad } = request
    checkSize('plaintext', plaintext)
    checkSize('additional_authenticated_data', aad)
    verifyChecksum('plaintext', plaintext, request.plaintextCrc32c)
    verifyChecksum('additional_authenticated_data', aad, request.additionalAuthenticatedDataCrc32c)
    const name = parseKeyOrVersion('name', request.name)
    return {
      key: keyReference(name),
      ...(name.version !== undefined && { version: { by: 'number', number: name.version } }),
      algorithm: (_version, key) => {
        checkHsmSize(key, plaintext, aad)
        return 'envelope'
      },
      plaintext,
      context: { kind: 'bytes', bytes: aad },
    }
  },
  toOutput: ({ ring, key, version, ciphertext }, request, ctx) => ({
    name: renderVersion(ring, key, version, ctx),
    ciphertext,
    ciphertextCrc32c: checksumOf(ciphertext),
    verifiedPlaintextCrc32c: request.plaintextCrc32c !== undefined,
    verifiedAdditionalAuthenticatedDataCrc32c: request.additionalAuthenticatedDataCrc32c !== undefined,
    protectionLevel: protectionOf(key),
  }),
})
