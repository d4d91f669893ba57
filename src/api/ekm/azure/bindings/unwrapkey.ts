import { decrypt } from '../../../../core/ops/decrypt.ts'
import { rawDecrypt } from '../../../../core/ops/raw-decrypt.ts'
import { encodeBase64url } from '../../../codec/base64url.ts'
import { asked, bind } from '../binding.ts'
import { isOct, knownAlgorithm } from '../names.ts'
import { CipherBody, MAX_WRAPPED, valueBytes } from '../schemas.ts'

const toOutput = ({ plaintext }: { readonly plaintext: Uint8Array }) => ({ value: encodeBase64url(plaintext) })

export const unwrapkey = bind('unwrapkey', CipherBody, [rawDecrypt, decrypt], ({ alg, value }) => {
  const algorithm = knownAlgorithm(alg)
  const input = { algorithm, ciphertext: valueBytes(value, MAX_WRAPPED), use: 'unwrap' } as const
  return isOct(algorithm) ? asked(rawDecrypt, input, toOutput) : asked(decrypt, input, toOutput)
})
