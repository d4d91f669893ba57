import { matchAdmin } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { MAX } from '../names.ts'
import { decryptWith } from './private-key-decrypt.ts'

export const privilegedPrivateKeyDecrypt: BoundRoute = {
  wire: 'privilegedprivatekeydecrypt',
  operations: ['Decrypt'],
  asks: 'an administrator',
  isOn: ({ config }) => config.admins.length > 0,
  async serve(request) {
    const { tenant, fields, noted } = request
    await matchAdmin(tenant, fields.text('authentication', MAX.token), 'privilegedprivatekeydecrypt', noted)
    const spki = { hash: fields.text('spki_hash', 128), algorithm: fields.text('spki_hash_algorithm', 64) }
    return decryptWith(request, spki, undefined)
  },
}
