/**
 * The Security Token Service, on the same URL as KMS: forms instead of JSON, the operation's name among the parameters,
 * and answers in XML. SDKs and Terraform ask it who they are.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { toKmsError } from '../../http/errors.ts'
import { SignatureFault } from '../../sigv4/fault.ts'
import type { RequestHead, SurfaceServices } from '../../surface.ts'
import { type Authenticator, type Caller, type Identities, recordStranger } from '../auth.ts'
import type { StsBinding, StsContext } from './binding.ts'
import { assumeRoleBinding } from './bindings/assume-role.ts'
import { getCallerIdentityBinding } from './bindings/get-caller-identity.ts'
import { getSessionTokenBinding } from './bindings/get-session-token.ts'
import { renderStsError, StsError } from './error.ts'
import { type Parameters, readParameters } from './parameters.ts'
import { document, element } from './xml.ts'

export const STS_PATH = '/@aws-sts'
const VERSION = '2011-06-15'
const FORM = 'application/x-www-form-urlencoded'
/** The service's own limit is about this. */
const BODY_LIMIT = 64 * 1024

const bindings: ReadonlyMap<string, StsBinding> = new Map(
  [assumeRoleBinding, getCallerIdentityBinding, getSessionTokenBinding].map((one) => [one.wire, one]),
)

const queryOf = (url: string): string => (url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')

/** A form that is posted, or an `Action` in the query of a presigned GET. */
export function isSts({ method, url, headers }: RequestHead): boolean {
  if (url !== '/' && !url.startsWith('/?')) return false
  if (method === 'GET') return /(?:^|&)Action=/.test(queryOf(url))
  const type = headers['content-type']
  return method === 'POST' && headers['x-amz-target'] === undefined && typeof type === 'string' && type.startsWith(FORM)
}

async function answer(
  request: FastifyRequest,
  caller: Caller,
  services: SurfaceServices,
  identities: Identities,
): Promise<string> {
  const form = typeof request.body === 'string' ? request.body : queryOf(request.originalUrl)
  const parameters: Parameters = readParameters(form)
  const action = parameters.get('Action')
  if (action === undefined) throw new StsError('MissingAction', 'Could not find operation in the request.')
  const binding = parameters.get('Version') === VERSION ? bindings.get(action) : undefined
  if (binding === undefined) {
    const version = parameters.get('Version') ?? 'NO_VERSION_SPECIFIED'
    throw new StsError(
      'InvalidAction',
      `Could not find operation ${action.slice(0, 128)} for version ${version.slice(0, 32)}`,
    )
  }
  const ctx: StsContext = {
    kernel: services.kernel,
    call: {
      dialect: 'system',
      spoken: 'aws',
      wire: action,
      principal: caller.principal,
      realm: { dialect: 'system', realmId: identities.homeRealm() },
      signal: request.deadline,
      requestId: request.id,
      address: request.client.address,
    },
    caller,
    identities,
    now: services.clock.now(),
    sourceIp: request.client.address,
    secure: request.client.secure,
  }
  const result = await binding.answer(parameters, ctx)
  return document(`${action}Response`, [
    element(`${action}Result`, result),
    element('ResponseMetadata', [element('RequestId', request.id)]),
  ])
}

export function registerSts(
  app: FastifyInstance,
  services: SurfaceServices,
  identities: Identities,
  authenticator: Authenticator,
): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    FORM,
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT },
    async (request: FastifyRequest, body: Buffer) => {
      request.awsCaller = await authenticator.finish(request, request.awsPending, body)
      return body.toString('utf8')
    },
  )
  app.addHook('onRequest', async (request) => {
    request.awsPending = authenticator.begin(request, 'sts')
  })
  app.setErrorHandler(async (error, request, reply) => {
    if (error instanceof SignatureFault) await recordStranger(request, 'sts', services, identities)
    const known = error instanceof StsError || error instanceof SignatureFault ? error : toKmsError(error, BODY_LIMIT)
    const { status, headers, body } = renderStsError(known, request.id)
    if (status === 500) services.log.error({ err: known, requestId: request.id }, 'sts')
    return reply.code(status).headers(headers).send(body)
  })
  app.route({
    method: ['GET', 'POST'],
    url: STS_PATH,
    async handler(request, reply) {
      request.awsCaller ??= await authenticator.finish(request, request.awsPending, undefined)
      const body = await answer(request, request.awsCaller, services, identities)
      return reply.header('x-amzn-requestid', request.id).header('content-type', 'text/xml').send(body)
    },
  })
}
