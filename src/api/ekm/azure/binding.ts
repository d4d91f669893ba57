/** What a binding of this protocol is: one operation of the proxy on a key of the exposure. */
import type { Static, TSchema } from '@sinclair/typebox'
import type { AzureEkmKey } from '../../../config/exposures/azure-ekm.ts'
import type { Kernel } from '../../../core/kernel.ts'
import type { Call, Operation } from '../../../core/operation.ts'
import type { KeyReference, VersionReference } from '../../../core/reference.ts'
import { checker } from '../../http/checker.ts'
import type { Verb } from './names.ts'
import type { RequestContext } from './schemas.ts'

/** As the kernel names what the exposure shows. */
export type Shown = { readonly key: KeyReference; readonly version: VersionReference | undefined }
export const shownOf = ({ key, version }: AzureEkmKey): Shown => ({
  key,
  version: version === undefined ? undefined : { by: 'number', number: version },
})

/** The core operation that a request turns out to be: keys of either type have their own. */
export type Asked = {
  readonly operation: Operation
  /** @throws KmsError */
  serve(kernel: Kernel, shown: Shown, call: Call): Promise<object>
}
/** A well-formed request, whatever key it is about. */
export type Prepared = Asked & { readonly context: RequestContext }

export type BoundOperation = {
  readonly wire: Verb
  readonly operations: readonly Operation[]
  /** @throws KmsError invalid_argument, EkmFault */
  read(body: unknown): Prepared
}

/** `input`: all but the key. */
export const asked = <I, O>(
  operation: Operation<I, O>,
  input: Omit<I, 'key' | 'version'>,
  toOutput: (output: O) => object,
): Asked => ({
  operation: operation as Operation,
  serve: async (kernel, shown, call) => toOutput(await kernel.execute(operation, { ...input, ...shown } as I, call)),
})

type Contextual = { readonly request_context?: RequestContext }

export function bind<S extends TSchema>(
  wire: Verb,
  schema: S,
  operations: readonly Operation[],
  ask: (body: Static<S>) => Asked,
): BoundOperation {
  const check = checker(schema)
  return {
    wire,
    operations,
    read(body) {
      const checked = check(body)
      return { ...ask(checked), context: (checked as Contextual).request_context ?? {} }
    },
  }
}
