import { encodeBase64 } from '../../../codec/base64.ts'
import { authorize, matchUser, requireSpki } from '../auth.ts'
import type { BoundRoute, CseRequest } from '../binding.ts'
import { withSecret } from '../dek.ts'
import { MAX } from '../names.ts'
import { checkDecryptRequest, decryptKey, openPrivateKey, type SpkiHash } from '../private-key.ts'

/** `perimeter` undefined: whatever it is. */
export async function decryptWith(request: CseRequest, spki: SpkiHash, perimeter: string | undefined): Promise<object> {
  const { fields } = request
  const asked = {
    algorithm: fields.text('algorithm', 64),
    ciphertext: fields.bytes('encrypted_data_encryption_key', MAX.encryptedDek),
    label: fields.optionalBytes('rsa_oaep_label', MAX.label),
  }
  checkDecryptRequest(asked)
  const blob = fields.bytes('wrapped_private_key', MAX.wrappedPrivateKey)
  const wanted = { kind: 'private-key', ...(perimeter !== undefined && { perimeter }) } as const
  return withSecret(request, blob, wanted, async (pkcs8) => {
    const dek = await decryptKey(openPrivateKey(pkcs8, spki), asked)
    return { data_encryption_key: encodeBase64(dek) }
  })
}

export const privateKeyDecrypt: BoundRoute = {
  wire: 'privatekeydecrypt',
  operations: ['Decrypt'],
  asks: 'a decrypter',
  async serve(request) {
    const { tenant, fields, noted } = request
    const authorization = await authorize(tenant, fields.text('authorization', MAX.token), ['decrypter'], noted)
    await matchUser(tenant, fields.text('authentication', MAX.token), authorization, 'personal')
    return decryptWith(request, requireSpki(authorization), authorization.perimeter)
  },
}
