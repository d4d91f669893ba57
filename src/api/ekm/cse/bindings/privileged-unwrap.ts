import { encodeBase64 } from '../../../codec/base64.ts'
import { matchAdminOrPeer } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { withSecret } from '../dek.ts'
import { MAX } from '../names.ts'

export const privilegedUnwrap: BoundRoute = {
  wire: 'privilegedunwrap',
  operations: ['Decrypt'],
  asks: 'an administrator, or a key service in `migration.to`',
  isOn: ({ config }) => config.admins.length > 0 || config.to.length > 0,
  async serve(request) {
    const { tenant, fields, noted } = request
    const resource = fields.text('resource_name', MAX.resourceName)
    noted.behalf = { ...noted.behalf, key: resource }
    await matchAdminOrPeer(tenant, fields.text('authentication', MAX.token), resource, noted)
    const blob = fields.bytes('wrapped_key', MAX.wrappedKey)
    return withSecret(request, blob, { kind: 'dek', resource }, (dek) => ({ key: encodeBase64(dek) }))
  },
}
