import { type DecryptInput, decrypt } from '../../../core/ops/decrypt.ts'
import { protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, MAX_DATA, verifyChecksum } from '../checksums.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { keyReference, parseKey } from '../names.ts'

/** The longest plaintext with room for what encryption adds. */
const MAX_CIPHERTEXT = MAX_DATA + 1024

export const decryptBinding = bind(KeyManagementService.method.decrypt, {
  operation: decrypt,
  permission: 'cloudkms.cryptoKeyVersions.useToDecrypt',
  resource: ({ name }) => parseKey('name', name),
  toInput(request): DecryptInput {
    const { ciphertext, additionalAuthenticatedData: aad } = request
    checkSize('ciphertext', ciphertext, MAX_CIPHERTEXT)
    checkSize('additional_authenticated_data', aad)
    verifyChecksum('ciphertext', ciphertext, request.ciphertextCrc32c)
    verifyChecksum('additional_authenticated_data', aad, request.additionalAuthenticatedDataCrc32c)
    return {
      key: keyReference(parseKey('name', request.name)),
      algorithm: 'envelope',
      ciphertext,
      context: { kind: 'bytes', bytes: aad },
    }
  },
  toOutput: ({ key, version, plaintext }) => ({
    plaintext,
    plaintextCrc32c: checksumOf(plaintext),
    usedPrimary: version.number === key.current,
    protectionLevel: protectionOf(key),
  }),
})
