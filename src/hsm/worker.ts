/**
 * Entry of the child process that holds the vendor's module, so that its crash, hang or lost token is not the
 * service's. Serves the one parent that started it, over their socket, and ends with it.
 */
import { Socket } from 'node:net'
import { andThen, type Eventually, orElse } from '../core/eventually.ts'
import { Channel } from './channel.ts'
import type { CallName, Calls, FromWorker, KnownToken, ToWorker, WorkerConfig } from './protocol.ts'
import { CHANNEL_FD } from './protocol.ts'
import { TokenService } from './service.ts'
import { kmsErrorOf, ProblemError } from './token.ts'

let service: TokenService | undefined
let lost = false

const socket = new Socket({ fd: CHANNEL_FD, readable: true, writable: true })
/** Answers that leave together; more of them would let the parent wait for what is done. */
const BATCH = 4
const channel = new Channel<ToWorker, FromWorker>({ socket, receive, broken: () => process.exit(1), batch: BATCH })
const send = (message: FromWorker): void => channel.send(message)

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function reportLost(reason: string): void {
  if (lost) return
  lost = true
  send({ kind: 'lost', reason })
}

async function open(config: WorkerConfig, known: KnownToken | undefined): Promise<void> {
  try {
    const opening = new TokenService(config, reportLost)
    const profile = await opening.probe(known)
    service = opening
    send({ kind: 'opened', token: opening.identity, profile })
  } catch (error) {
    const problem = error instanceof ProblemError ? error.problem : { kind: 'device' as const, detail: reasonOf(error) }
    send({ kind: 'problem', problem })
  }
}

function answer<N extends CallName>(id: number, name: N, args: Calls[N]['args']): Eventually<void> {
  return orElse(
    () => {
      if (service === undefined) throw new Error('not open')
      return andThen(service.handlers[name](args), (value) => send({ kind: 'result', id, value }))
    },
    (error) => {
      const { code, params, cause } = kmsErrorOf(error)
      send({ kind: 'error', id, code, params, reason: `${name}: ${reasonOf(cause ?? error)}` })
    },
  )
}

async function close(): Promise<void> {
  await service?.close()
  process.exit(0)
}

function receive(message: ToWorker): void {
  if (message.kind === 'open') void open(message.config, message.known)
  else if (message.kind === 'close') void close()
  else void answer(message.id, message.name, message.args)
}

socket.on('close', () => process.exit(0))
// A terminal's Ctrl-C reaches the whole group; the parent drains first and then says so.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
