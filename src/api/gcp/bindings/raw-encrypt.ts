import { invalidArgument } from '../../../core/error.ts'
import type { Key, KeyVersion } from '../../../core/key.ts'
import { rawEncrypt } from '../../../core/ops/raw-encrypt.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkHsmSize, checkSize, checksumOf, requireBytes, verifyChecksum } from '../checksums.ts'
import { KeyManagementService, type RawEncryptRequest } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'
import { checkAad, checkBlocks, checkIv, rawMode } from '../raw.ts'

/** The version's own algorithm, where the request gives what that algorithm encrypts. */
const algorithmFor = (request: RawEncryptRequest) => (version: KeyVersion, key: Key) => {
  const { plaintext, initializationVector: iv, additionalAuthenticatedData: aad } = request
  const algorithm = algorithmInUse(GcpPurpose.RAW_ENCRYPT_DECRYPT, version)
  const mode = rawMode(algorithm)
  requireBytes('plaintext', plaintext)
  checkHsmSize(key, plaintext, aad)
  if (mode.mode === 'gcm' && iv.length > 0) {
    throw invalidArgument('initializationVector', 'it can not be chosen for AES-GCM')
  }
  if (iv.length > 0) checkIv(mode, iv)
  checkAad(mode, aad)
  checkBlocks('plaintext', mode, plaintext)
  return algorithm
}

export const rawEncryptBinding = bind(KeyManagementService.method.rawEncrypt, {
  operation: rawEncrypt,
  permission: 'cloudkms.cryptoKeyVersions.useToEncrypt',
  resource: ({ name }) => parseVersion('name', name),
  toInput(request) {
    const { plaintext, initializationVector: iv, additionalAuthenticatedData: aad } = request
    checkSize('plaintext', plaintext)
    checkSize('additional_authenticated_data', aad)
    verifyChecksum('plaintext', plaintext, request.plaintextCrc32c)
    verifyChecksum('additional_authenticated_data', aad, request.additionalAuthenticatedDataCrc32c)
    verifyChecksum('initialization_vector', iv, request.initializationVectorCrc32c)
    return {
      ...versionTarget(parseVersion('name', request.name)),
      algorithm: algorithmFor(request),
      plaintext,
      aad,
      ...(iv.length > 0 && { iv }),
    }
  },
  toOutput: ({ ring, key, version, algorithm, ciphertext, iv }, request, ctx) => ({
    name: renderVersion(ring, key, version, ctx),
    ciphertext,
    ciphertextCrc32c: checksumOf(ciphertext),
    initializationVector: iv,
    initializationVectorCrc32c: checksumOf(iv),
    tagLength: rawMode(algorithm).tagBytes,
    verifiedPlaintextCrc32c: request.plaintextCrc32c !== undefined,
    verifiedAdditionalAuthenticatedDataCrc32c: request.additionalAuthenticatedDataCrc32c !== undefined,
    verifiedInitializationVectorCrc32c: request.initializationVectorCrc32c !== undefined,
    protectionLevel: protectionOf(key),
  }),
})
