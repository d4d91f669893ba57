import { decryptDetached } from '../../../core/ops/detached.ts'
import { encodeBase64 } from '../../codec/base64.ts'
import { bind } from '../binding.ts'
import { boundData, decodeMetadata, TAG_BYTES } from '../metadata.ts'
import { aadBytes, DecryptRequest, metadataBytes, partBytes, textBytes } from '../schemas.ts'

const IV_LENGTHS = [12, 16]

export const decryptBinding = bind(
  decryptDetached,
  DecryptRequest,
)({
  wire: 'Decrypt',
  route: 'decrypt',
  usages: () => ['decrypt'],
  toInput(wire) {
    const ciphertext = textBytes('ciphertext', wire.ciphertext)
    const iv = partBytes('initializationVector', wire.initializationVector, IV_LENGTHS)
    const tag = partBytes('authenticationTag', wire.authenticationTag, [TAG_BYTES])
    const metadata = metadataBytes(wire.ciphertextMetadata)
    const aad = boundData(aadBytes(wire.additionalAuthenticatedData), metadata)
    return { parts: { ...decodeMetadata(metadata), iv, sealed: Buffer.concat([ciphertext, tag]) }, aad }
  },
  toOutput({ plaintext }) {
    const answer = { plaintext: encodeBase64(plaintext) }
    plaintext.fill(0)
    return answer
  },
})
