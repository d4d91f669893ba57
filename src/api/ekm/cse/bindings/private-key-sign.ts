import { encodeBase64 } from '../../../codec/base64.ts'
import { authorize, matchUser, requireSpki } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { withSecret } from '../dek.ts'
import { MAX } from '../names.ts'
import { checkSignRequest, openPrivateKey, signDigest } from '../private-key.ts'

export const privateKeySign: BoundRoute = {
  wire: 'privatekeysign',
  operations: ['Decrypt'],
  asks: 'a signer',
  async serve(request) {
    const { tenant, fields, noted } = request
    const authorization = await authorize(tenant, fields.text('authorization', MAX.token), ['signer'], noted)
    await matchUser(tenant, fields.text('authentication', MAX.token), authorization, 'personal')
    const spki = requireSpki(authorization)
    const asked = {
      algorithm: fields.text('algorithm', 64),
      digest: fields.bytes('digest', MAX.digest),
      saltLength: fields.integer('rsa_pss_salt_length'),
    }
    checkSignRequest(asked)
    const blob = fields.bytes('wrapped_private_key', MAX.wrappedPrivateKey)
    const wanted = { kind: 'private-key', perimeter: authorization.perimeter } as const
    return withSecret(request, blob, wanted, (pkcs8) => ({
      signature: encodeBase64(signDigest(openPrivateKey(pkcs8, spki), asked)),
    }))
  },
}
