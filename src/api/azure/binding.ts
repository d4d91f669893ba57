/** What a binding of this dialect is: one operation of the REST API, where it lives and what it takes. */
import type { Static, TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { invalidArgument } from '../../core/error.ts'
import type { Kernel } from '../../core/kernel.ts'
import type { Call, Operation } from '../../core/operation.ts'
import { isRecord } from '../../core/record.ts'
import type { Binding, WireContext } from '../surface.ts'
import type { Feature } from './api-version.ts'

/** What an answer's shape depends on, beside what it tells of. */
export type Shown = {
  /** Scheme and authority for identifiers and links: `https://default.vault.localhost:7443`. */
  readonly base: string
  readonly apiVersion: string
  readonly managedHsm: boolean
  /** Whether the ring of this name keeps what is deleted. */
  readonly purgeProtected: (ring: string) => boolean
}

/** A request as bindings see it, its parts bounded but not yet interpreted. */
export type AzureRequest<B = undefined> = Shown & {
  /** Empty where the route has none. */
  readonly name: string
  /** Empty: the current version. */
  readonly version: string
  readonly limit: number
  readonly after: string | undefined
  readonly body: B
}

type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** All the forms clients use; the first one is the documented one. */
  readonly paths: readonly [string, ...string[]]
  readonly status?: 200 | 204
  /** What brought it, where it was not always there. */
  readonly feature?: Feature
  /** Where it is not the server's, bytes. */
  readonly bodyLimit?: number
}

/** A binding with its types closed over, as routes and tables need it. */
export type BoundOperation = Route & {
  readonly wire: string
  readonly operation: string
  readonly body: TSchema | undefined
  /** Rejects with a KmsError. */
  serve(kernel: Kernel, request: AzureRequest<unknown>, ctx: WireContext, call: Call): Promise<unknown>
}

/** Clients that serialise absent members as null mean nothing by it. */
function withoutNulls(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return value.map((member) => withoutNulls(member, depth))
  if (!isRecord(value) || depth === 0) return value
  const kept = Object.entries(value).filter(([, member]) => member !== null)
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutNulls(member, depth - 1)]))
}

function checkBody<B extends TSchema>(check: TypeCheck<B>, body: unknown): Static<B> {
  const given = withoutNulls(body, 3)
  if (check.Check(given)) return given
  if (!isRecord(given)) throw invalidArgument('request', 'Bad JSON content found in the request.')
  // The checker's own words describe the schema; nothing of the value gets into them.
  const first = check.Errors(given).First()
  const field = first?.path.slice(1).replaceAll('/', '.') ?? ''
  throw invalidArgument(/^[0-9A-Za-z_.]{1,64}$/.test(field) ? field : 'body', first?.message ?? 'malformed')
}

type AzureBinding<W, I, O, R> = Route & Omit<Binding<W, I, O, R>, 'operation'>

/**
 * `bind(operation)(binding)`: the operation's types are settled before the binding is checked against them. A body
 * that comes all the same is ignored, as Azure does.
 */
export const bind =
  <I, O>(operation: Operation<I, O>) =>
  <R>(binding: AzureBinding<AzureRequest, I, O, R>): BoundOperation => ({
    ...routeOf(binding, operation),
    body: undefined,
    async serve(kernel, request, ctx, call) {
      const wire = { ...request, body: undefined }
      return binding.toOutput(await kernel.execute(operation, binding.toInput(wire, ctx), call), wire, ctx)
    },
  })

/** `bind` for operations with a body, which is checked against its schema first. */
export const bindBody =
  <I, O, B extends TSchema>(operation: Operation<I, O>, body: B) =>
  <R>(binding: AzureBinding<AzureRequest<Static<B>>, I, O, R>): BoundOperation => {
    const check = TypeCompiler.Compile(body)
    return {
      ...routeOf(binding, operation),
      body,
      async serve(kernel, request, ctx, call) {
        const wire = { ...request, body: checkBody(check, request.body) }
        return binding.toOutput(await kernel.execute(operation, binding.toInput(wire, ctx), call), wire, ctx)
      },
    }
  }

/** One operation of the API that is two of the core's: `isSecond` tells by the request's body which one it is. */
export const bindEither = (
  first: BoundOperation,
  second: BoundOperation,
  isSecond: (body: Readonly<Record<string, unknown>>) => boolean,
): BoundOperation => ({
  ...first,
  operation: `${first.operation}, ${second.operation}`,
  serve(kernel, request, ctx, call) {
    const chosen = isRecord(request.body) && isSecond(request.body) ? second : first
    return chosen.serve(kernel, request, ctx, call)
  },
})

const routeOf = (binding: Route & { readonly wire: string }, operation: { readonly name: string }) => ({
  wire: binding.wire,
  operation: operation.name,
  method: binding.method,
  paths: binding.paths,
  status: binding.status ?? 200,
  ...(binding.feature !== undefined && { feature: binding.feature }),
  ...(binding.bodyLimit !== undefined && { bodyLimit: binding.bodyLimit }),
})
