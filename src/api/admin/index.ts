/** The administrator's commands, carried out by the kernel like any request and recorded as the socket's. */
import { randomUUID } from 'node:crypto'
import { KmsError } from '../../core/error.ts'
import type { Kernel } from '../../core/kernel.ts'
import type { Principal } from '../../core/ports.ts'
import { isRecord } from '../../core/record.ts'
import type { RealmAddress } from '../../core/reference.ts'
import type { AdminContext } from './binding.ts'
import { commands } from './bindings/index.ts'
import { realmAddress } from './names.ts'

export type AdminDeps = AdminContext & {
  readonly kernel: Kernel
  /** The built-in realm, which commands are about that name none; a reset makes another one. */
  homeRealm(): string
}

export type Admin = {
  /** `principal`: the socket where absent. @throws KmsError */
  run(wire: string, body: unknown, principal?: Principal): Promise<unknown>
}

const byWire = new Map(commands.map((one) => [one.wire, one]))

/** Whoever may open the socket, or the data directory, is the administrator; and who may send the process a signal. */
export const SIGNAL = { id: 'system:signal', method: 'system' } as const
const PRINCIPAL = { id: 'socket:', method: 'socket' } as const

type Addressed = { readonly realm: RealmAddress; readonly rest: unknown }

/** Takes the realm out of a command's body. @throws KmsError invalid_argument */
function addressed(inRealm: boolean, body: unknown, home: RealmAddress): Addressed {
  if (!inRealm || !isRecord(body) || body.realm === undefined) return { realm: home, rest: body }
  const { realm, ...rest } = body
  return { realm: realmAddress(realm), rest }
}

export const createAdmin = ({ kernel, homeRealm, ...ctx }: AdminDeps): Admin => ({
  async run(wire, body, principal = PRINCIPAL) {
    const command = byWire.get(wire)
    if (command === undefined) throw new KmsError('unknown_operation', { operation: wire })
    const { realm, rest } = addressed(command.inRealm, body, { dialect: 'system', realmId: homeRealm() })
    const call = {
      dialect: 'system',
      wire,
      principal,
      realm,
      signal: new AbortController().signal,
      requestId: randomUUID(),
    } as const
    const answer = await command.run(rest, kernel, call, ctx)
    // What it made can be used once it is answered.
    await ctx.directory.settle()
    return answer
  },
})
