import { authorize } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { withSecret } from '../dek.ts'
import { resourceKeyHash } from '../hash.ts'
import { MAX } from '../names.ts'

export const digest: BoundRoute = {
  wire: 'digest',
  operations: ['Decrypt'],
  asks: 'a verifier',
  async serve(request) {
    const { tenant, fields, noted } = request
    const { resource, perimeter } = await authorize(
      tenant,
      fields.text('authorization', MAX.token),
      ['verifier'],
      noted,
    )
    const blob = fields.bytes('wrapped_key', MAX.wrappedKey)
    return withSecret(request, blob, { kind: 'dek', resource, perimeter }, (dek) => ({
      resource_key_hash: resourceKeyHash(dek, resource, perimeter),
    }))
  },
}
