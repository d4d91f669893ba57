/** What a binding of this dialect is: one operation of the API on an exposed key. */
import type { Static, TSchema } from '@sinclair/typebox'
import type { XksKey, XksUsage } from '../../config/exposures/xks.ts'
import type { Kernel } from '../../core/kernel.ts'
import type { Call, KeyInput, Operation } from '../../core/operation.ts'
import { checker } from '../http/checker.ts'
import type { XksRoute } from './names.ts'
import type { RequestMetadata } from './schemas.ts'

export type XksBody = { readonly requestMetadata: RequestMetadata }

type XksBinding<W, I, O> = {
  /** The operation's own name. */
  readonly wire: string
  readonly route: XksRoute
  /** What the key must be exposed for. */
  usages(wire: W): readonly XksUsage[]
  /** All but the key. @throws KmsError, XksError for a request that is not well-formed */
  toInput(wire: W): Omit<I, 'key'>
  toOutput(output: O, shown: XksKey, wire: W): unknown
  /** Of an output that says so: the key's version needs a successor. */
  worn?(output: O): { readonly keyId: string; readonly version: number } | undefined
}

/** A well-formed request, whatever key it turns out to be about. */
export type Prepared = {
  readonly body: XksBody
  readonly usages: readonly XksUsage[]
  /** @throws KmsError */
  serve(kernel: Kernel, shown: XksKey, call: Call): Promise<Served>
}
export type Served = {
  readonly answer: unknown
  readonly worn: { readonly keyId: string; readonly version: number } | undefined
}

/** A binding with its types closed over. */
export type BoundOperation = {
  readonly wire: string
  readonly route: XksRoute
  readonly operation: Operation
  /** @throws KmsError invalid_argument, XksError */
  read(body: unknown): Prepared
}

/** `bind(operation, schema)(binding)`: the operation's types are settled before the binding is checked against them. */
export const bind =
  <I extends KeyInput, O, S extends TSchema>(operation: Operation<I, O>, schema: S) =>
  (binding: XksBinding<Static<S> & XksBody, I, O>): BoundOperation => {
    const check = checker(schema)
    const { wire: name, route } = binding
    return {
      wire: name,
      route,
      operation: operation as Operation,
      read(body) {
        const wire = check(body) as Static<S> & XksBody
        const input = binding.toInput(wire)
        return {
          body: wire,
          usages: binding.usages(wire),
          async serve(kernel, shown, call) {
            const output = await kernel.execute(operation, { ...input, key: shown.key } as I, call)
            return { answer: binding.toOutput(output, shown, wire), worn: binding.worn?.(output) }
          },
        }
      },
    }
  }
