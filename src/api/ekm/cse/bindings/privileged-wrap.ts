import { matchAdmin } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { wrapSecret } from '../dek.ts'
import { MAX } from '../names.ts'

export const privilegedWrap: BoundRoute = {
  wire: 'privilegedwrap',
  operations: ['Encrypt'],
  asks: 'an administrator',
  isOn: ({ config }) => config.admins.length > 0,
  async serve(request) {
    const { tenant, fields, noted } = request
    const resource = fields.text('resource_name', MAX.resourceName)
    const perimeter = fields.optional('perimeter_id', MAX.perimeter) ?? ''
    noted.behalf = { ...noted.behalf, key: resource, network: perimeter }
    await matchAdmin(tenant, fields.text('authentication', MAX.token), 'privilegedwrap', noted)
    const dek = fields.bytes('key', MAX.dek)
    return { wrapped_key: await wrapSecret(request, dek, { kind: 'dek', resource, perimeter }) }
  },
}
