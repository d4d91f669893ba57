/**
 * Managed identities for development: the endpoints of a virtual machine (IMDS) and of App Service that
 * `DefaultAzureCredential` asks. Absent in production.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { SurfaceServices } from '../surface.ts'
import { originOf } from './http.ts'
import { objectIdOf, type TokenStandIn } from './token.ts'

export const IDENTITY_PATH = /^\/(?:metadata\/identity\/oauth2\/token|msi\/token)\/?(?:\?|$)/
const RESOURCE = /^[\x21-\x7e]{1,512}$/
/** How the two kinds of endpoint name an identity that a user has assigned. */
const IDENTITY_PARAMETERS = ['client_id', 'object_id', 'msi_res_id', 'mi_res_id'] as const

type Query = Readonly<Record<string, unknown>>
type Asked = { readonly resource: string; readonly clientId: string }
type Refusal = { readonly error: string; readonly error_description: string }

const refusal = (description: string): Refusal => ({ error: 'invalid_request', error_description: description })

function readQuery(query: Query, tenant: string): Asked | Refusal {
  const { resource } = query
  if (typeof query['api-version'] !== 'string') return refusal('Required query variable api-version is missing')
  if (typeof resource !== 'string' || !RESOURCE.test(resource)) {
    return refusal('Required audience parameter not specified')
  }
  const named = IDENTITY_PARAMETERS.filter((name) => query[name] !== undefined)
  if (named.length > 1) return refusal('Only one identity can be specified')
  const given = named[0] === undefined ? undefined : query[named[0]]
  if (given !== undefined && (typeof given !== 'string' || !RESOURCE.test(given))) return refusal('Identity not found')
  // The same identity is the same principal after a restart.
  return { resource, clientId: given ?? objectIdOf(tenant, 'system-assigned identity') }
}

export function serveIdentity(app: FastifyInstance, { clock, settings }: SurfaceServices, standIn: TokenStandIn): void {
  const { tenant } = settings
  app.addHook('onRequest', async (request, reply) => {
    // Credentials for the asking are for this machine only.
    if (request.listener?.loopback === false) return reply.callNotFound()
    reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' })
  })
  const add = (path: string, refuse: (request: FastifyRequest) => Refusal | undefined): void => {
    for (const url of [path, `${path}/`]) {
      app.get(url, async (request, reply) => {
        const asked = refuse(request) ?? readQuery(request.query as Query, tenant)
        if ('error' in asked) return reply.code(400).send(asked)
        const { resource, clientId } = asked
        const issuer = `${originOf(request, settings).base}/${tenant}/v2.0`
        const now = clock.now()
        const { token, expiresIn } = await standIn.issue({ tenant, issuer, audience: resource, clientId }, now)
        const issuedAt = Math.floor(now / 1000)
        return {
          access_token: token,
          client_id: clientId,
          expires_in: String(expiresIn),
          expires_on: String(issuedAt + expiresIn),
          ext_expires_in: String(expiresIn),
          not_before: String(issuedAt),
          resource,
          token_type: 'Bearer',
        }
      })
    }
  }
  // A web page or a forwarder can't set the header: IMDS's own protection from requests forged through a server.
  add('/metadata/identity/oauth2/token', ({ headers }) =>
    headers.metadata === 'true' && headers['x-forwarded-for'] === undefined
      ? undefined
      : refusal('Required metadata header not specified'),
  )
  // Which value it has is anybody's choice in development.
  add('/msi/token', ({ headers }) =>
    headers['x-identity-header'] ? undefined : refusal('X-IDENTITY-HEADER is missing'),
  )
}
