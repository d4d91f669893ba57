import { verify as operation } from '../../../core/ops/verify.ts'
import { bindBody, bindEither } from '../binding.ts'
import { isMac, macVerify } from '../macs.ts'
import { keyReference, useOfKey, versionReference } from '../names.ts'
import { bytesOf, signedInput, VerifyBody } from '../schemas.ts'

const signature = bindBody(
  operation,
  VerifyBody,
)({
  wire: 'verify',
  method: 'POST',
  paths: ['/keys/:name/:version/verify', '/keys/:name/verify'],
  toInput: ({ name, version, body }) => ({
    key: keyReference(name),
    version: versionReference(version),
    ...signedInput(body, 'digest', body.digest),
    use: (key) => useOfKey('verify', key),
    signature: bytesOf('value', body.value),
  }),
  toOutput: ({ valid }) => ({ value: valid }),
})

export const verify = bindEither(signature, macVerify, isMac)
