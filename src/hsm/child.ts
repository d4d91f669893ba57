/** The child process that holds the vendor's module, as its parent has it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Channel } from './channel.ts'
import { CHANNEL_FD, type FromWorker, type ToWorker } from './protocol.ts'

const WORKER = fileURLToPath(
  new URL(import.meta.filename.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url),
)
const START_DEADLINE_MS = 60_000

export type ChildOptions = {
  /** All of its environment, but for the size of its thread pool. */
  readonly env: Readonly<Record<string, string>> | undefined
  /** Calls that it makes at once. */
  readonly sessions: number
  receive(message: FromWorker): void
  ended(how: string): void
}

export class Child {
  readonly #process: ChildProcess
  readonly #channel: Channel<FromWorker, ToWorker>
  readonly #started: NodeJS.Timeout

  constructor({ env, sessions, receive, ended }: ChildOptions) {
    const child = spawn(process.execPath, [WORKER], {
      // The pool serves the calls that several sessions make at once.
      env: { ...env, UV_THREADPOOL_SIZE: String(Math.max(4, sessions)) },
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    })
    this.#process = child
    this.#started = setTimeout(() => this.kill(), START_DEADLINE_MS)
    this.#channel = new Channel<FromWorker, ToWorker>({
      socket: child.stdio[CHANNEL_FD] as Socket,
      broken: () => this.kill(),
      receive: (message) => {
        if (message.kind === 'opened' || message.kind === 'problem') clearTimeout(this.#started)
        receive(message)
      },
    })
    child.on('error', () => this.kill())
    // Not `close`: a process that the library started may hold the socket open.
    child.once('exit', (code, signal) => {
      clearTimeout(this.#started)
      ended(signal ?? `exit code ${code}`)
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  send(message: ToWorker): void {
    this.#channel.send(message)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** Asks it to close its sessions and end; ends it if it does not. */
  async end(deadlineMs: number): Promise<void> {
    const { exitCode, signalCode } = this.#process
    if (exitCode !== null || signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.send({ kind: 'close' })
    const timer = setTimeout(() => this.kill(), deadlineMs)
    await ended
    clearTimeout(timer)
  }
}
