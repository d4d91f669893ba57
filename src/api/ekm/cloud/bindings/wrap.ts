import { encrypt } from '../../../../core/ops/encrypt.ts'
import { encodeBase64 } from '../../../codec/base64.ts'
import { bind } from '../binding.ts'

const NOTHING = new Uint8Array(0)

export const wrap = bind(encrypt)({
  wire: 'wrap',
  on: 'key',
  justified: true,
  toInput: ({ fields, key }) => ({
    key,
    algorithm: 'envelope',
    plaintext: fields.required('plaintext'),
    context: { kind: 'bytes', bytes: fields.bytes('additionalAuthenticatedData') ?? NOTHING },
  }),
  toOutput: ({ ciphertext }) => ({ wrappedBlob: encodeBase64(ciphertext) }),
})
