import { decrypt as operation } from '../../../core/ops/decrypt.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody } from '../binding.ts'
import { encryptionAlgorithm, keyId, keyReference, versionReference } from '../names.ts'
import { bytesOf, ValueBody } from '../schemas.ts'

export const decrypt = bindBody(
  operation,
  ValueBody,
)({
  wire: 'decrypt',
  method: 'POST',
  paths: ['/keys/:name/:version/decrypt', '/keys/:name/decrypt'],
  toInput: ({ name, version, body }) => ({
    key: keyReference(name),
    version: versionReference(version),
    algorithm: encryptionAlgorithm(body.alg),
    ciphertext: bytesOf('value', body.value),
    use: 'decrypt',
  }),
  toOutput: ({ key, version, plaintext }, { base }) => ({
    kid: keyId(base, key, version),
    value: encodeBase64url(plaintext),
  }),
})
