import { sign as operation } from '../../../core/ops/sign.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody } from '../binding.ts'
import { keyId, keyReference, versionReference } from '../names.ts'
import { SignBody, signedInput } from '../schemas.ts'

export const sign = bindBody(
  operation,
  SignBody,
)({
  wire: 'sign',
  method: 'POST',
  paths: ['/keys/:name/:version/sign', '/keys/:name/sign'],
  toInput: ({ name, version, body }) => ({
    key: keyReference(name),
    version: versionReference(version),
    ...signedInput(body, 'value', body.value),
  }),
  toOutput: ({ key, version, signature }, { base }) => ({
    kid: keyId(base, key, version),
    value: encodeBase64url(signature),
  }),
})
