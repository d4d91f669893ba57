/** From a binding to a route: check the request, hand it to the kernel, render the answer. */
import type { Kernel } from '../../core/kernel.ts'
import type { Realm } from '../../core/key.ts'
import type { Call } from '../../core/operation.ts'
import type { AwsIdentity } from '../../core/ports.ts'
import { encodeBase64 } from '../codec/base64.ts'
import type { Binding, WireContext } from '../surface.ts'
import { AwsError } from './aws-error.ts'
import { type Body, factsOf } from './facts.ts'
import { OPERATIONS } from './gen/operations.ts'
import type { Inputs, Outputs } from './gen/types.ts'
import { checkGrantTokens } from './grant-token.ts'
import type { AwsAddress } from './names.ts'
import { type InputName, type Validator, validatorOf } from './validate.ts'

/** What bindings get to see of their request. */
export type AwsContext = Omit<WireContext, 'realm'> & {
  readonly realm: AwsAddress & { readonly dialect: 'aws' }
  /** The verified caller. */
  readonly identity: AwsIdentity | undefined
  /** How the request came; undefined where it came by no connection. */
  readonly transport:
    | { readonly address: string | undefined; readonly secure: boolean; readonly userAgent: string | undefined }
    | undefined
}

type AwsBinding<N extends InputName, I, O> = Omit<
  Binding<Inputs[N], I, O, Outputs[N]>,
  'wire' | 'toInput' | 'toOutput'
> & {
  readonly wire: N
  toInput(wire: Inputs[N], ctx: AwsContext): I
  toOutput(output: O, wire: Inputs[N], ctx: AwsContext): Outputs[N]
}

type Handle<N extends InputName> = (wire: Inputs[N], kernel: Kernel, call: Call, ctx: AwsContext) => Promise<Outputs[N]>

export type Route = {
  readonly wire: InputName
  /** Names of the core operations behind it. */
  readonly operations: readonly string[]
  /** Body of the answer, from the parsed body of the request. */
  answer(body: unknown, kernel: Kernel, call: Call, ctx: AwsContext): Promise<string>
}

/** A binding that is ready to run; `route` and `either` make routes of it. */
export type Bound<N extends InputName> = {
  readonly wire: N
  readonly operation: string
  readonly handle: Handle<N>
}

/** Where what was found is: a key's own account, which need not be the caller's. */
function homeOf(output: unknown): AwsAddress | undefined {
  const realm = typeof output === 'object' && output !== null && 'realm' in output ? output.realm : undefined
  return (realm as Realm | undefined)?.aws
}

const at = (home: AwsAddress | undefined, ctx: AwsContext): AwsContext =>
  home === undefined || home.account === ctx.realm.account ? ctx : { ...ctx, realm: { dialect: 'aws', ...home } }

export function bind<N extends InputName, I, O>(binding: AwsBinding<N, I, O>): Bound<N> {
  const errors: readonly string[] = OPERATIONS[binding.wire].errors
  // DescribeKey has tokens, and no error for them.
  const mindsTokens = errors.includes('InvalidGrantTokenException')
  return {
    wire: binding.wire,
    operation: binding.operation.name,
    async handle(wire, kernel, call, ctx) {
      if (mindsTokens) checkGrantTokens((wire as { readonly GrantTokens?: readonly string[] }).GrantTokens)
      const asked = ctx.settings.auth === 'off' ? call : { ...call, aws: factsOf(binding.wire, wire as Body, ctx) }
      const output = await kernel.execute(binding.operation, binding.toInput(wire, ctx), asked)
      return binding.toOutput(output, wire, at(homeOf(output), ctx))
    },
  }
}

/** Blobs are members of the answer itself, never deeper. */
function serialize(output: Readonly<Record<string, unknown>>): string {
  const wire: Record<string, unknown> = {}
  for (const name in output) {
    const value = output[name]
    wire[name] = value instanceof Uint8Array ? encodeBase64(value) : value
  }
  return JSON.stringify(wire)
}

function routeOf<N extends InputName>(wire: N, operations: readonly string[], handle: Handle<N>): Route {
  const validate: Validator<N> = validatorOf(wire)
  return {
    wire,
    operations,
    async answer(body, kernel, call, ctx) {
      const output = await handle(validate(body), kernel, call, ctx)
      return OPERATIONS[wire].output === undefined ? '' : serialize(output)
    },
  }
}

export const route = <N extends InputName>(bound: Bound<N>): Route =>
  routeOf(bound.wire, [bound.operation], bound.handle)

/** One wire operation that is two of the core's. */
export const either = <N extends InputName>(when: (wire: Inputs[N]) => boolean, yes: Bound<N>, no: Bound<N>): Route =>
  routeOf(yes.wire, [yes.operation, no.operation], (wire, kernel, call, ctx) =>
    (when(wire) ? yes : no).handle(wire, kernel, call, ctx),
  )

/** The answer to a dry run that went well. */
export function checkDryRun(wire: { readonly DryRun?: boolean | undefined }): void {
  if (wire.DryRun !== true) return
  throw new AwsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.')
}
