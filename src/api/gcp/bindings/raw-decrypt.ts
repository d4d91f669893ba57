import type { KeyVersion } from '../../../core/key.ts'
import { rawDecrypt } from '../../../core/ops/raw-decrypt.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, MAX_DATA, requireBytes, verifyChecksum } from '../checksums.ts'
import { KeyManagementService, type RawDecryptRequest } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, versionTarget } from '../names.ts'
import { checkAad, checkBlocks, checkIv, rawMode, readTagLength } from '../raw.ts'

/** The longest plaintext with room for its tag. */
const MAX_CIPHERTEXT = MAX_DATA + 16

/** The version's own algorithm, where the request gives what that algorithm decrypts. */
const algorithmFor = (request: RawDecryptRequest) => (version: KeyVersion) => {
  const algorithm = algorithmInUse(GcpPurpose.RAW_ENCRYPT_DECRYPT, version)
  const mode = rawMode(algorithm)
  requireBytes('ciphertext', request.ciphertext)
  checkIv(mode, request.initializationVector)
  checkAad(mode, request.additionalAuthenticatedData)
  readTagLength(mode, request.tagLength)
  checkBlocks('ciphertext', mode, request.ciphertext)
  return algorithm
}

export const rawDecryptBinding = bind(KeyManagementService.method.rawDecrypt, {
  operation: rawDecrypt,
  permission: 'cloudkms.cryptoKeyVersions.useToDecrypt',
  resource: ({ name }) => parseVersion('name', name),
  toInput(request) {
    const { ciphertext, initializationVector: iv, additionalAuthenticatedData: aad, tagLength } = request
    checkSize('ciphertext', ciphertext, MAX_CIPHERTEXT)
    checkSize('additional_authenticated_data', aad)
    verifyChecksum('ciphertext', ciphertext, request.ciphertextCrc32c)
    verifyChecksum('additional_authenticated_data', aad, request.additionalAuthenticatedDataCrc32c)
    verifyChecksum('initialization_vector', iv, request.initializationVectorCrc32c)
    return {
      ...versionTarget(parseVersion('name', request.name)),
      algorithm: algorithmFor(request),
      ciphertext,
      iv,
      aad,
      ...(tagLength > 0 && { tagBytes: tagLength }),
    }
  },
  toOutput: ({ key, plaintext }, request) => ({
    plaintext,
    plaintextCrc32c: checksumOf(plaintext),
    protectionLevel: protectionOf(key),
    verifiedCiphertextCrc32c: request.ciphertextCrc32c !== undefined,
    verifiedAdditionalAuthenticatedDataCrc32c: request.additionalAuthenticatedDataCrc32c !== undefined,
    verifiedInitializationVectorCrc32c: request.initializationVectorCrc32c !== undefined,
  }),
})
