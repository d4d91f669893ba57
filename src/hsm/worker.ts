/**
 * Entry of the child process that holds the vendor's module, so that its crash, hang or lost token is not the
 * service's. Serves the one parent that forked it, over IPC, and ends with it.
 */
import type { CallName, Calls, FromWorker, KnownToken, ToWorker, WorkerConfig } from './protocol.ts'
import { TokenService } from './service.ts'
import { kmsErrorOf, ProblemError } from './token.ts'

let service: TokenService | undefined
let lost = false

function send(message: FromWorker): void {
  process.send?.(message, undefined, {}, () => {
    // The parent is gone; `disconnect` ends this process.
  })
}

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

async function answer<N extends CallName>(id: number, name: N, args: Calls[N]['args']): Promise<void> {
  try {
    if (service === undefined) throw new Error('not open')
    send({ kind: 'result', id, value: await service.handlers[name](args) })
  } catch (error) {
    const { code, params, cause } = kmsErrorOf(error)
    send({ kind: 'error', id, code, params, reason: `${name}: ${reasonOf(cause ?? error)}` })
  }
}

async function close(): Promise<void> {
  await service?.close()
  send({ kind: 'closed' })
  process.disconnect()
}

process.on('message', (message: ToWorker) => {
  if (message.kind === 'open') void open(message.config, message.known)
  else if (message.kind === 'close') void close()
  else void answer(message.id, message.name, message.args)
})
process.on('disconnect', () => process.exit(0))
// A terminal's Ctrl-C reaches the whole group; the parent drains first and then says so.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
