/** Who asks. Access tokens are opaque and Google's own; none can be checked here. */
import { hash } from 'node:crypto'
import { KmsError } from '../../core/error.ts'
import type { Principal } from '../../core/ports.ts'
import type { RequestHead, SurfaceSettings } from '../surface.ts'

const BEARER = /^bearer +(\S{1,8192})$/i
const ANONYMOUS: Principal = { id: 'anonymous:', method: 'none' }

/** A token's digest tells its bearers apart in the audit log without being one. */
function bearerOf(authorization: RequestHead['headers'][string]): Principal | undefined {
  const token = typeof authorization === 'string' ? BEARER.exec(authorization)?.[1] : undefined
  if (token === undefined) return undefined
  const digest = hash('sha256', token)
  return { id: `bearer:${digest.slice(0, 16)}`, method: 'bearer' }
}

/**
 * `off` and `permissive` take any credentials, or none, at their word; `enforce` lets nobody in whom it can't verify.
 * @throws KmsError unauthenticated
 */
export function authenticate(headers: RequestHead['headers'], auth: SurfaceSettings['auth']): Principal {
  const principal = bearerOf(headers.authorization)
  if (auth !== 'enforce') return principal ?? ANONYMOUS
  throw new KmsError('unauthenticated', { reason: principal === undefined ? 'missing' : 'unverified' })
}
