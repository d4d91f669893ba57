/**
 * One command of the administrator and the core operation it is. Commands come by the Unix socket of a running server,
 * or run in the process of the command line itself while none runs.
 */
import type { Readable } from 'node:stream'
import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { invalidArgument } from '../../core/error.ts'
import type { Kernel } from '../../core/kernel.ts'
import type { Dialect } from '../../core/key.ts'
import type { Call, Operation } from '../../core/operation.ts'
import type { Reloaded } from '../../core/ops/reload.ts'
import type { Directory } from '../../core/principals/directory.ts'
import type { Status } from './status.ts'

/** An answer that is too large for JSON; `facts` go before it. */
export class Streamed {
  readonly facts: unknown
  readonly stream: Readable

  constructor(facts: unknown, stream: Readable) {
    this.facts = facts
    this.stream = stream
  }
}

export type BackupPort = {
  /** Whether one could be made. @throws KmsError invalid_argument, conflict */
  check(since: string | undefined): void
  create(since: string | undefined): { readonly stream: Readable } & Readonly<Record<string, unknown>>
  complete(id: string): void
}

export type AdminContext = {
  /** Of the installation, for what the caller leaves out. */
  readonly account: string
  readonly profile: 'dev' | 'production'
  readonly auth: Readonly<Record<Dialect, 'off' | 'permissive' | 'enforce'>>
  readonly directory: Directory
  readonly backups: BackupPort
  status(): Promise<Status>
  /** Absent where no server runs. */
  readonly seal: (() => void) | undefined
  /** Reads the configuration again. @throws KmsError invalid_argument for one that is refused */
  reload(): Promise<Reloaded>
}

type AdminBinding<S extends TSchema, I, O> = {
  /** As it is typed: `principal create`. */
  readonly wire: string
  /** It is about one realm, which the caller may name by `realm`. */
  readonly inRealm?: true
  readonly operation: Operation<I, O>
  readonly schema: S
  toInput(body: Static<S>, ctx: AdminContext): I
  toOutput(output: O, ctx: AdminContext, body: Static<S>): unknown
}

export type Command = {
  readonly wire: string
  readonly inRealm: boolean
  /** @throws KmsError */
  run(body: unknown, kernel: Kernel, call: Call, ctx: AdminContext): Promise<unknown>
}

export function command<S extends TSchema, I, O>(binding: AdminBinding<S, I, O>): Command {
  const { wire, inRealm = false, operation, schema, toInput, toOutput } = binding
  return {
    wire,
    inRealm,
    async run(body, kernel, call, ctx) {
      const problem = Value.Errors(schema, body).First()
      if (problem !== undefined) {
        const reason = problem.schema.description ?? problem.message.toLowerCase()
        throw invalidArgument(problem.path.slice(1).replaceAll('/', '.') || 'body', reason)
      }
      const output = await kernel.execute(operation, toInput(body as Static<S>, ctx), call)
      return toOutput(output, ctx, body as Static<S>)
    },
  }
}
