import { KmsError } from '../../../../core/error.ts'
import { authorize, delegatedClaims, matchUser } from '../auth.ts'
import type { BoundRoute } from '../binding.ts'
import { Denial } from '../errors.ts'
import { MAX } from '../names.ts'

/** So that one that got out is of little use. */
const LIFETIME_S = 900

export const delegate: BoundRoute = {
  wire: 'delegate',
  operations: ['Sign'],
  asks: 'a user whom Google lets delegate',
  isOn: ({ signing }) => signing !== undefined,
  async serve({ tenant, fields, noted, now }) {
    const { signing, config } = tenant
    if (signing === undefined) throw new KmsError('unimplemented', { operation: 'delegate' })
    const authorization = await authorize(tenant, fields.text('authorization', MAX.token), undefined, noted)
    const user = await matchUser(tenant, fields.text('authentication', MAX.token), authorization, 'delegating')
    if (!authorization.delegatedTo) throw new Denial('delegation', 'the authorization names no delegate')
    const iat = Math.floor(now / 1000)
    const claims = {
      iss: config.url,
      aud: config.url,
      ...delegatedClaims(authorization),
      iat,
      exp: Math.min(iat + LIFETIME_S, user.exp, authorization.expiresAt),
    }
    return { delegated_authentication: await signing.token(claims, 'cse/delegate') }
  },
}
