import { authorize, matchUser } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { wrapSecret } from '../dek.ts'
import { MAX } from '../names.ts'

export const wrap: BoundRoute = {
  wire: 'wrap',
  operations: ['Encrypt'],
  asks: 'a writer or upgrader',
  async serve(request) {
    const { tenant, fields, noted } = request
    const authorization = await authorize(
      tenant,
      fields.text('authorization', MAX.token),
      ['writer', 'upgrader'],
      noted,
    )
    await matchUser(tenant, fields.text('authentication', MAX.token), authorization, 'delegable')
    const { resource, perimeter } = authorization
    const dek = fields.bytes('key', MAX.dek)
    return { wrapped_key: await wrapSecret(request, dek, { kind: 'dek', resource, perimeter }) }
  },
}
