/** The Google Cloud KMS dialect: one implementation, over gRPC and over REST. */
import type { KmsError } from '../../core/error.ts'
import type { Rendered, RequestHead, Surface } from '../surface.ts'
import { Authenticator, type AuthenticatorOptions } from './auth.ts'
import { COVERAGE } from './coverage.ts'
import { Dispatcher } from './dispatch.ts'
import { errorBody, toRpcError } from './errors.ts'
import { isGrpc, serveGrpc, statusTrailers } from './grpc.ts'
import { JSON_TYPE, serveRest } from './rest.ts'
import { RpcError } from './status.ts'

const REST_PATH = /^\/v1\/(?:projects|folders|organizations)(?:[/?]|$)/

function render(error: KmsError, head: RequestHead): Rendered {
  if (isGrpc(head)) {
    const unknown = error.code === 'unknown_operation'
    const failure = unknown ? new RpcError('UNIMPLEMENTED', 'The method does not exist.') : toRpcError(error)
    // Trailers-Only: without a body the headers end the stream.
    return { status: 200, headers: { 'content-type': 'application/grpc', ...statusTrailers(failure) }, body: '' }
  }
  const { status, body } = errorBody(toRpcError(error))
  return { status, headers: { 'content-type': JSON_TYPE }, body }
}

export type GcpOptions = Omit<AuthenticatorOptions, 'auth'>

export const createGcpSurface = (options: GcpOptions): Surface => ({
  dialect: 'gcp',
  coverage: COVERAGE,
  owns: (head) => REST_PATH.test(head.url) || isGrpc(head),
  async register(app, services) {
    const authenticator = new Authenticator({ ...options, auth: services.settings.auth })
    const dispatcher = new Dispatcher(services, authenticator)
    await app.register(async (scope) => serveRest(scope, dispatcher))
    await app.register(async (scope) => serveGrpc(scope, dispatcher))
  },
  render,
})
