import { sign as operation } from '../../../core/ops/sign.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody } from '../binding.ts'
import { keyId, keyReference, signatureAlgorithm, versionReference } from '../names.ts'
import { digestOf, ValueBody } from '../schemas.ts'

export const sign = bindBody(
  operation,
  ValueBody,
)({
  wire: 'sign',
  method: 'POST',
  paths: ['/keys/:name/:version/sign', '/keys/:name/sign'],
  toInput: ({ name, version, body }) => ({
    key: keyReference(name),
    version: versionReference(version),
    algorithm: signatureAlgorithm(body.alg),
    input: { digest: digestOf(body.alg, 'value', body.value) },
  }),
  toOutput: ({ key, version, signature }, { base }) => ({
    kid: keyId(base, key, version),
    value: encodeBase64url(signature),
  }),
})
