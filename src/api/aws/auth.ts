/**
 * Who asks, and for which account and region. The region is in the credential's scope, where every signed request has
 * it; the account is the configured one.
 */
import { KmsError } from '../../core/error.ts'
import type { Principal } from '../../core/ports.ts'
import type { RequestHead, SurfaceSettings } from '../surface.ts'
import type { AwsAddress } from './names.ts'

const CREDENTIAL =
  /^AWS4-HMAC-SHA256\s+Credential=([A-Za-z0-9_-]{1,128})\/\d{8}\/([a-z0-9-]{1,32})\/[a-z0-9-]{1,32}\/aws4_request\s*,/
const ANONYMOUS: Principal = { id: 'anonymous:', method: 'none' }

type Caller = { readonly principal: Principal; readonly address: AwsAddress }

/** Reads the credential without checking its signature: enough to know the region, never to trust the key id. */
function claimed(head: Pick<RequestHead, 'headers'>, settings: SurfaceSettings): Caller {
  const { authorization } = head.headers
  const [, accessKeyId, region] = (typeof authorization === 'string' && CREDENTIAL.exec(authorization)) || []
  const address = { account: settings.defaultAccount, region: region ?? settings.defaultRegion }
  if (accessKeyId === undefined) return { principal: ANONYMOUS, address }
  return { principal: { id: `sigv4:${accessKeyId}`, method: 'sigv4' }, address }
}

/** For errors, which name ARNs whoever asked. */
export const addressOf = (head: Pick<RequestHead, 'headers'>, settings: SurfaceSettings): AwsAddress =>
  claimed(head, settings).address

/**
 * `off` and `permissive` take any credentials, or none, at their word. `enforce` needs a verified signature, and
 * signatures are not verified: it lets nobody in.
 *
 * @throws KmsError unauthenticated
 */
export function authenticate(head: Pick<RequestHead, 'headers'>, settings: SurfaceSettings): Caller {
  if (settings.auth === 'enforce') throw new KmsError('unauthenticated', { reason: 'signatures are not verified' })
  return claimed(head, settings)
}
