import { decrypt as operation } from '../../../core/ops/decrypt.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody } from '../binding.ts'
import { encryptionAlgorithm, keyId, keyReference, versionReference } from '../names.ts'
import { bytesOf, ValueBody } from '../schemas.ts'

export const unwrapKey = bindBody(
  operation,
  ValueBody,
)({
  wire: 'unwrapKey',
  method: 'POST',
  paths: ['/keys/:name/:version/unwrapkey', '/keys/:name/unwrapkey'],
  toInput: ({ name, version, body }) => ({
    key: keyReference(name),
    version: versionReference(version),
    algorithm: encryptionAlgorithm(body.alg),
    ciphertext: bytesOf('value', body.value),
    use: 'unwrap',
  }),
  toOutput: ({ key, version, plaintext }, { base }) => ({
    kid: keyId(base, key, version),
    value: encodeBase64url(plaintext),
  }),
})
