/** What a binding of this protocol is: one method of Cloud EKM, what it is asked of, and the operation that it is. */
import type { CloudEkmConfig } from '../../../config/exposures/cloud-ekm.ts'
import type { KmsError } from '../../../core/error.ts'
import type { Kernel } from '../../../core/kernel.ts'
import type { Call, Operation } from '../../../core/operation.ts'
import type { KeyReference } from '../../../core/reference.ts'
import type { Binding } from '../../surface.ts'
import type { Fields } from './fields.ts'
import type { Place } from './names.ts'
import type { CryptoSpace } from './rules.ts'

export type CloudRequest = {
  readonly fields: Fields
  readonly exposure: CloudEkmConfig
  readonly key: KeyReference
  /** Of the key, or the one that is asked. */
  readonly space: CryptoSpace | undefined
}

type Shape = {
  readonly on: Place['on']
  /** Whether a use that needs a justification. */
  readonly justified: boolean
  /** Only of keys that were made in a crypto space. */
  readonly coordinated?: boolean
}

/** A binding with its types closed over, as the route and the tables need it. */
export type BoundMethod = Shape & {
  readonly wire: string
  readonly operation: string
  /** Rejects with a KmsError or a CloudFault. */
  serve(kernel: Kernel, request: CloudRequest, call: Call): Promise<object>
  /** Recorded. Rejects with `error`. */
  refuse(kernel: Kernel, call: Call, error: KmsError): Promise<never>
}

type CloudBinding<I, O, R> = Shape &
  Pick<Binding<CloudRequest, I, O, R>, 'wire'> & {
    toInput(request: CloudRequest): I
    toOutput(output: O, request: CloudRequest): R
  }

export const bind =
  <I, O>(operation: Operation<I, O>) =>
  <R extends object>(binding: CloudBinding<I, O, R>): BoundMethod => ({
    ...binding,
    operation: operation.name,
    refuse: (kernel, call, error) => kernel.refuse(operation, call, error),
    async serve(kernel, request, call) {
      return binding.toOutput(await kernel.execute(operation, binding.toInput(request), call), request)
    },
  })
