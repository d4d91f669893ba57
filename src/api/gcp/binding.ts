/** A method of the API bound to an operation of the core. */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { Kernel } from '../../core/kernel.ts'
import type { Call } from '../../core/operation.ts'
import type { Binding, WireContext } from '../surface.ts'
import type { ResourceName } from './names.ts'

export type GcpBinding<In extends DescMessage, Out extends DescMessage, I, O> = Omit<
  Binding<MessageShape<In>, I, O, MessageInitShape<Out>>,
  'wire'
> & {
  /** IAM's name of the right to do this; undefined: it needs none. */
  readonly permission: string | undefined
  /** What the request is about: its realm, and the name its errors say. @throws RpcError for a malformed name */
  resource(request: MessageShape<In>): ResourceName
}

/** A binding with its types closed over: request message in, response message out. */
export type BoundMethod = {
  readonly method: DescMethod
  readonly operation: string
  readonly permission: string | undefined
  /** The one that a request is for, where a method is bound twice. */
  choose?(request: Message): BoundMethod
  resource(request: Message): ResourceName
  execute(kernel: Kernel, request: Message, call: Call, ctx: WireContext): Promise<Message>
}

export function bind<In extends DescMessage, Out extends DescMessage, I, O>(
  method: DescMethodUnary<In, Out>,
  binding: GcpBinding<In, Out, I, O>,
): BoundMethod {
  return {
    method,
    operation: binding.operation.name,
    permission: binding.permission,
    resource: (request) => binding.resource(request as MessageShape<In>),
    async execute(kernel, message, call, ctx) {
      const request = message as MessageShape<In>
      const output = await kernel.execute(binding.operation, binding.toInput(request, ctx), call)
      return create(method.output, binding.toOutput(output, request, ctx))
    },
  }
}

/** A method that is another operation for another kind of resource. */
export const bindEither = (
  first: BoundMethod,
  second: BoundMethod,
  isSecond: (request: { readonly resource: string }) => boolean,
): BoundMethod => ({
  ...first,
  // Every request that is bound so names its resource.
  choose: (request) => (isSecond(request as Message & { resource: string }) ? second : first),
})
