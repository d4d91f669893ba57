import { generateRandom } from '../../../core/ops/generate-random.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bindBody } from '../binding.ts'
import { RandomBody } from '../schemas.ts'

export const getRandomBytes = bindBody(
  generateRandom,
  RandomBody,
)({
  wire: 'getRandomBytes',
  method: 'POST',
  paths: ['/rng'],
  feature: 'random',
  toInput: ({ body }) => ({ bytes: body.count }),
  toOutput: ({ bytes }) => ({ value: encodeBase64url(bytes) }),
})
