import { encrypt as operation } from '../../../core/ops/encrypt.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody } from '../binding.ts'
import { encryptionAlgorithm, keyId, keyReference, versionReference } from '../names.ts'
import { bytesOf, ValueBody } from '../schemas.ts'

export const encrypt = bindBody(
  operation,
  ValueBody,
)({
  wire: 'encrypt',
  method: 'POST',
  paths: ['/keys/:name/:version/encrypt', '/keys/:name/encrypt'],
  toInput: ({ name, version, body }) => ({
    key: keyReference(name),
    version: versionReference(version),
    algorithm: encryptionAlgorithm(body.alg),
    plaintext: bytesOf('value', body.value),
    use: 'encrypt',
  }),
  toOutput: ({ key, version, ciphertext }, { base }) => ({
    kid: keyId(base, key, version),
    value: encodeBase64url(ciphertext),
  }),
})
