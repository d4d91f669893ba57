/** From a request message to the kernel and back, the same for both transports. */
import type { DescMethod, Message } from '@bufbuild/protobuf'
import { KmsError } from '../../core/error.ts'
import type { Principal } from '../../core/ports.ts'
import type { Client } from '../http/client.ts'
import type { RequestHead, SurfaceServices, WireContext } from '../surface.ts'
import { expressible } from './algorithms.ts'
import type { Authenticator } from './auth.ts'
import type { BoundMethod } from './binding.ts'
import { BINDINGS } from './bindings/index.ts'
import { toRpcError } from './errors.ts'
import { type ResourceName, realmOf } from './names.ts'
import type { RpcError } from './status.ts'

export type Caller = {
  readonly requestId: string
  readonly signal: AbortSignal
  readonly address: string | undefined
}

/** Of a request, what tells who sends it. */
type Sender = Pick<RequestHead, 'headers'> & { readonly client: Pick<Client, 'certificate'> }

/** A method that is served, and who asks for it. */
export type Admitted = { readonly bound: BoundMethod; readonly principal: Principal }

const BOUND: ReadonlyMap<DescMethod, BoundMethod> = new Map(BINDINGS.map((bound) => [bound.method, bound]))

/** `google.cloud.kms.v1.KeyManagementService.Encrypt` */
export const fullName = (method: DescMethod): string => `${method.parent.typeName}.${method.name}`

export class Dispatcher {
  readonly #services: SurfaceServices
  readonly #authenticator: Authenticator

  constructor(services: SurfaceServices, authenticator: Authenticator) {
    this.#services = services
    this.#authenticator = authenticator
  }

  /** @throws RpcError for an unbound method and for callers who are nobody; asked before a body is read */
  async admit(method: DescMethod, { headers, client }: Sender): Promise<Admitted> {
    try {
      const principal = await this.#authenticator.authenticate(headers, client.certificate)
      const bound = BOUND.get(method)
      if (bound === undefined) throw new KmsError('unimplemented', { operation: fullName(method) })
      return { bound, principal }
    } catch (error) {
      throw toRpcError(error)
    }
  }

  /** @throws RpcError, nothing else */
  async execute({ bound: method, principal }: Admitted, request: Message, caller: Caller): Promise<Message> {
    const bound = method.choose?.(request) ?? method
    const { kernel, clock, settings } = this.#services
    let resource: ResourceName | undefined
    try {
      resource = bound.resource(request)
      const realm = realmOf(resource)
      const ctx: WireContext = { realm, settings, now: clock.now() }
      return await bound.execute(
        kernel,
        request,
        {
          signal: caller.signal,
          requestId: caller.requestId,
          address: caller.address,
          dialect: 'gcp',
          wire: bound.method.name,
          ...(bound.permission !== undefined && { right: bound.permission }),
          principal,
          realm,
          expresses: expressible,
        },
        ctx,
      )
    } catch (error) {
      throw this.report(toRpcError(error, { resource, permission: bound.permission }), caller.requestId)
    }
  }

  /** What went wrong inside is for the log only. */
  report(error: RpcError, requestId: string): RpcError {
    if (error.status === 'INTERNAL') {
      const cause = error.cause instanceof KmsError ? (error.cause.cause ?? error.cause) : error
      this.#services.log.error({ requestId, err: cause }, 'request failed')
    }
    return error
  }
}
