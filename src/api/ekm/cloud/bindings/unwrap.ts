import { decrypt } from '../../../../core/ops/decrypt.ts'
import { encodeBase64 } from '../../../codec/base64.ts'
import { bind } from '../binding.ts'

const NOTHING = new Uint8Array(0)

export const unwrap = bind(decrypt)({
  wire: 'unwrap',
  on: 'key',
  justified: true,
  toInput: ({ fields, key }) => ({
    key,
    algorithm: 'envelope',
    ciphertext: fields.required('wrappedBlob'),
    context: { kind: 'bytes', bytes: fields.bytes('additionalAuthenticatedData') ?? NOTHING },
  }),
  toOutput: ({ plaintext }) => ({ plaintext: encodeBase64(plaintext) }),
})
