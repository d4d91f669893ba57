import { encryptDetached } from '../../../core/ops/detached.ts'
import { encodeBase64 } from '../../codec/base64.ts'
import { bind } from '../binding.ts'
import { boundData, encodeMetadata, integrityValue, splitSealed } from '../metadata.ts'
import { aadBytes, EncryptRequest, textBytes } from '../schemas.ts'

/** The value tells AWS KMS that the parts will decrypt, so that the key must be exposed for that too. */
export const encryptBinding = bind(
  encryptDetached,
  EncryptRequest,
)({
  wire: 'Encrypt',
  route: 'encrypt',
  usages: ({ ciphertextDataIntegrityValueAlgorithm: proven }) =>
    proven === undefined ? ['encrypt'] : ['encrypt', 'decrypt'],
  toInput({ plaintext, additionalAuthenticatedData, ciphertextDataIntegrityValueAlgorithm: proven }) {
    const aad = aadBytes(additionalAuthenticatedData)
    return {
      plaintext: textBytes('plaintext', plaintext),
      bind: (head) => boundData(aad, encodeMetadata(head)),
      ...(proven !== undefined && { digest: (parts) => integrityValue(aad, encodeMetadata(parts), parts) }),
    }
  },
  toOutput({ parts, digest }) {
    const { ciphertext, tag } = splitSealed(parts.sealed)
    return {
      ciphertext: encodeBase64(ciphertext),
      ciphertextMetadata: encodeBase64(encodeMetadata(parts)),
      initializationVector: encodeBase64(parts.iv),
      authenticationTag: encodeBase64(tag),
      ...(digest !== undefined && { ciphertextDataIntegrityValue: encodeBase64(digest) }),
    }
  },
  worn: ({ worn, key, version }) => (worn ? { keyId: key.id, version: version.number } : undefined),
})
