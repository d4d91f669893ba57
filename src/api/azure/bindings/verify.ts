import { verify as operation } from '../../../core/ops/verify.ts'
import { bindBody } from '../binding.ts'
import { keyReference, versionReference } from '../names.ts'
import { bytesOf, signedInput, VerifyBody } from '../schemas.ts'

export const verify = bindBody(
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
    signature: bytesOf('value', body.value),
  }),
  toOutput: ({ valid }) => ({ value: valid }),
})
