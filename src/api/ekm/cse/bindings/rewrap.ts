import { MIGRATION_AUDIENCE } from '../../../../config/exposures/cse.ts'
import { KmsError } from '../../../../core/error.ts'
import { authorize } from '../auth.ts'
import type { BoundRoute, CseRequest } from '../binding.ts'
import { wrapSecret } from '../dek.ts'
import { Denial } from '../errors.ts'
import { resourceKeyHash } from '../hash.ts'
import { MAX, sameUrl } from '../names.ts'
import { unwrapAt } from '../peer.ts'

const LIFETIME_S = 300

/** Signed with our own key, for that key service and this resource alone. */
function introduction({ tenant, now }: CseRequest, peer: string, resource: string): Promise<string> {
  if (tenant.signing === undefined) throw new KmsError('unimplemented', { operation: 'rewrap' })
  const iat = Math.floor(now / 1000)
  const claims = {
    iss: tenant.config.url,
    aud: MIGRATION_AUDIENCE,
    kacls_url: peer,
    resource_name: resource,
    iat,
    exp: iat + LIFETIME_S,
  }
  return tenant.signing.token(claims, 'cse/rewrap')
}

export const rewrap: BoundRoute = {
  wire: 'rewrap',
  operations: ['Sign', 'Encrypt'],
  asks: 'a migrator, from a key service in `migration.from`',
  isOn: ({ config }) => config.from.length > 0,
  async serve(request) {
    const { tenant, fields, noted, signal } = request
    const { resource, perimeter } = await authorize(
      tenant,
      fields.text('authorization', MAX.token),
      ['migrator'],
      noted,
    )
    const original = fields.text('original_kacls_url', MAX.url)
    const peer = tenant.config.from.find(({ url }) => sameUrl(url, original))
    if (peer === undefined) throw new Denial('migration', 'documents do not come here from that key service')
    const asked = {
      authentication: await introduction(request, peer.url, resource),
      wrapped_key: fields.text('wrapped_key', MAX.wrappedPrivateKey),
      resource_name: resource,
      reason: fields.optional('reason', MAX.reason) ?? '',
    }
    const dek = await unwrapAt(peer.url, peer.rules, asked, signal)
    const hash = resourceKeyHash(dek, resource, perimeter)
    const wrapped = await wrapSecret(request, dek, { kind: 'dek', resource, perimeter })
    return { wrapped_key: wrapped, resource_key_hash: hash }
  },
}
