import { matchAdmin } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { wrapSecret } from '../dek.ts'
import { MAX } from '../names.ts'
import { readPrivateKey } from '../private-key.ts'

export const wrapPrivateKey: BoundRoute = {
  wire: 'wrapprivatekey',
  operations: ['Encrypt'],
  asks: 'an administrator',
  isOn: ({ config }) => config.admins.length > 0,
  async serve(request) {
    const { tenant, fields, noted } = request
    const perimeter = fields.optional('perimeter_id', MAX.perimeter) ?? ''
    noted.behalf = { ...noted.behalf, network: perimeter }
    await matchAdmin(tenant, fields.text('authentication', MAX.token), 'wrapprivatekey', noted)
    const pkcs8 = readPrivateKey(fields.text('private_key', MAX.privateKey))
    return { wrapped_private_key: await wrapSecret(request, pkcs8, { kind: 'private-key', perimeter }) }
  },
}
