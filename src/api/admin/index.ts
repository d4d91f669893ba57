/** The administrator's commands, carried out by the kernel like any request and recorded as the socket's. */
import { randomUUID } from 'node:crypto'
import { KmsError } from '../../core/error.ts'
import type { Kernel } from '../../core/kernel.ts'
import type { Directory } from '../../core/principals/directory.ts'
import { commands } from './bindings/index.ts'

export type AdminDeps = {
  readonly kernel: Kernel
  readonly directory: Directory
  /** The built-in realm, for records; a reset makes another one. */
  homeRealm(): string
  readonly account: string
}

export type Admin = {
  /** @throws KmsError */
  run(wire: string, body: unknown, signal?: AbortSignal): Promise<unknown>
}

const byWire = new Map(commands.map((one) => [one.wire, one]))

/** Whoever may open the socket, or the data directory, is the administrator. */
const PRINCIPAL = { id: 'socket:', method: 'socket' } as const

export const createAdmin = ({ kernel, directory, homeRealm, account }: AdminDeps): Admin => ({
  async run(wire, body, signal = new AbortController().signal) {
    const command = byWire.get(wire)
    if (command === undefined) throw new KmsError('unknown_operation', { operation: wire })
    const call = {
      dialect: 'system',
      wire,
      principal: PRINCIPAL,
      realm: { dialect: 'system', realmId: homeRealm() },
      signal,
      requestId: randomUUID(),
    } as const
    const answer = await command.run(body, kernel, call, { account, directory })
    // What it made can be used once it is answered.
    await directory.settle()
    return answer
  },
})
