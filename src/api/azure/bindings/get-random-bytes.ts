import { invalidArgument } from '../../../core/error.ts'
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
  toInput({ body: { count } }) {
    if (count < 1 || count > 128) {
      throw invalidArgument('request', 'GetRandomBytesRequest: count cannot be greater than 128 or less than 1')
    }
    return { bytes: count }
  },
  toOutput: ({ bytes }) => ({ value: encodeBase64url(bytes) }),
})
