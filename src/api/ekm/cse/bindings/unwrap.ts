import { encodeBase64 } from '../../../codec/base64.ts'
import { authorize, matchUser } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { withSecret } from '../dek.ts'
import { MAX } from '../names.ts'

export const unwrap: BoundRoute = {
  wire: 'unwrap',
  operations: ['Decrypt'],
  asks: 'a reader or writer',
  async serve(request) {
    const { tenant, fields, noted } = request
    const authorization = await authorize(tenant, fields.text('authorization', MAX.token), ['reader', 'writer'], noted)
    await matchUser(tenant, fields.text('authentication', MAX.token), authorization, 'delegable')
    const { resource, perimeter } = authorization
    const blob = fields.bytes('wrapped_key', MAX.wrappedKey)
    return withSecret(request, blob, { kind: 'dek', resource, perimeter }, (dek) => ({ key: encodeBase64(dek) }))
  },
}
