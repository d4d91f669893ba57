import { verify as operation } from '../../../core/ops/verify.ts'
import { bindBody } from '../binding.ts'
import { keyReference, signatureAlgorithm, versionReference } from '../names.ts'
import { bytesOf, digestOf, VerifyBody } from '../schemas.ts'

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
    algorithm: signatureAlgorithm(body.alg),
    input: { digest: digestOf(body.alg, 'digest', body.digest) },
    signature: bytesOf('value', body.value),
  }),
  toOutput: ({ valid }) => ({ value: valid }),
})
