import { sign as operation } from '../../../core/ops/sign.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody, bindEither } from '../binding.ts'
import { isMac, macSign } from '../macs.ts'
import { keyId, keyReference, useOfKey, versionReference } from '../names.ts'
import { SignBody, signedInput } from '../schemas.ts'

const signature = bindBody(
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
    use: (key) => useOfKey('sign', key),
  }),
  toOutput: ({ key, version, signature }, { base }) => ({
    kid: keyId(base, key, version),
    value: encodeBase64url(signature),
  }),
})

export const sign = bindEither(signature, macSign, isMac)
