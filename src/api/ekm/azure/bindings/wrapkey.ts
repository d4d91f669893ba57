import { encrypt } from '../../../../core/ops/encrypt.ts'
import { rawEncrypt } from '../../../../core/ops/raw-encrypt.ts'
import { encodeBase64url } from '../../../codec/base64url.ts'
import { asked, bind } from '../binding.ts'
import { isOct, knownAlgorithm } from '../names.ts'
import { CipherBody, MAX_PLAIN, valueBytes } from '../schemas.ts'

const toOutput = ({ ciphertext }: { readonly ciphertext: Uint8Array }) => ({ value: encodeBase64url(ciphertext) })

export const wrapkey = bind('wrapkey', CipherBody, [rawEncrypt, encrypt], ({ alg, value }) => {
  const algorithm = knownAlgorithm(alg)
  const input = { algorithm, plaintext: valueBytes(value, MAX_PLAIN), use: 'wrap' } as const
  return isOct(algorithm) ? asked(rawEncrypt, input, toOutput) : asked(encrypt, input, toOutput)
})
