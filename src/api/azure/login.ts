/** The Entra endpoints that development clients get their tokens from. Absent in production. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SurfaceServices } from '../surface.ts'
import { type Origin, originOf } from './http.ts'
import type { TokenStandIn } from './token.ts'

const TENANT = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,62}[0-9A-Za-z])?$/
const CLIENT = /^[\x21-\x7e]{1,128}$/
const SCOPE = /^[\x21-\x7e]{1,512}$/
const FORM = 'application/x-www-form-urlencoded'

type TokenRequest = { readonly clientId: string; readonly audience: string }
type Refusal = { readonly error: string; readonly error_description: string }

const refusal = (error: string, description: string): Refusal => ({ error, error_description: description })

/** A secret or an assertion has to be there; which one is anybody's choice in development. */
function readForm(form: URLSearchParams): TokenRequest | Refusal {
  const grant = form.get('grant_type')
  if (grant !== 'client_credentials') {
    return refusal('unsupported_grant_type', 'AADSTS70003: The app requested an unsupported grant type.')
  }
  const clientId = form.get('client_id') ?? ''
  if (!CLIENT.test(clientId)) {
    return refusal(
      'invalid_request',
      "AADSTS900144: The request body must contain the following parameter: 'client_id'.",
    )
  }
  if (!form.get('client_secret') && !form.get('client_assertion')) {
    const description =
      "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
    return refusal('invalid_client', description)
  }
  const scope = form.get('scope') ?? ''
  const [resource = ''] = scope.split(' ').filter((part) => part.endsWith('/.default'))
  if (!SCOPE.test(resource)) {
    return refusal(
      'invalid_scope',
      'AADSTS1002012: The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.',
    )
  }
  return { clientId, audience: resource.slice(0, -'/.default'.length) }
}

/** The issuer shares scheme, host and port with the authority, or MSAL refuses it. */
const issuerOf = (origin: Origin, tenant: string): string => `${origin.base}/${tenant}/v2.0`

const tenantOf = (request: FastifyRequest): string | undefined => {
  const { tenant = '' } = request.params as { tenant?: string }
  return TENANT.test(tenant) ? tenant : undefined
}

const refuseTenant = (reply: FastifyReply) =>
  reply
    .code(400)
    .send(
      refusal('invalid_request', 'AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID.'),
    )

function metadata(origin: Origin, tenant: string) {
  const authority = `${origin.base}/${tenant}`
  return {
    issuer: issuerOf(origin, tenant),
    authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
    token_endpoint: `${authority}/oauth2/v2.0/token`,
    jwks_uri: `${authority}/discovery/v2.0/keys`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
    response_types_supported: ['token'],
    response_modes_supported: ['query'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['.default'],
  }
}

export function serveLogin(app: FastifyInstance, { clock, settings }: SurfaceServices, standIn: TokenStandIn): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    FORM,
    { parseAs: 'string', bodyLimit: 32_768 },
    async (_request: FastifyRequest, body: string) => new URLSearchParams(body),
  )
  app.addHook('onRequest', async (request, reply) => {
    // Credentials for the asking are for this machine only.
    if (request.listener?.loopback === false) return reply.callNotFound()
    reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' })
  })

  app.get('/:tenant/v2.0/.well-known/openid-configuration', async (request, reply) => {
    const tenant = tenantOf(request)
    return tenant === undefined ? refuseTenant(reply) : metadata(originOf(request, settings), tenant)
  })

  app.get('/:tenant/discovery/v2.0/keys', async (request, reply) =>
    tenantOf(request) === undefined ? refuseTenant(reply) : standIn.jwks(),
  )

  app.post('/:tenant/oauth2/v2.0/token', async (request, reply) => {
    const tenant = tenantOf(request)
    if (tenant === undefined) return refuseTenant(reply)
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
    const asked = readForm(form)
    if ('error' in asked) return reply.code(asked.error === 'invalid_client' ? 401 : 400).send(asked)
    const issuer = issuerOf(originOf(request, settings), tenant)
    const { token, expiresIn } = await standIn.issue({ tenant, issuer, ...asked }, clock.now())
    return { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: token }
  })
}
