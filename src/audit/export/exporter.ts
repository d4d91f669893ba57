/**
 * Sends the log to one sink. The log itself is the queue: nothing is kept in memory but what is on its way, an answer
 * never waits for a sink, and what a sink could not be given stays in the log until it can. Each record is sent at least
 * once, in order.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readCursor, writeCursor } from './cursor.ts'
import type { Sink } from './sink.ts'
import { LogTail, Missing } from './tail.ts'

export type ExporterOptions = {
  readonly name: string
  readonly sink: Sink
  /** Directory of the log's files. */
  readonly directory: string
  /** File that remembers how far it has come. */
  readonly cursor: string
  /** Number of the log's last durable record. */
  last(): number
  readonly warn: (message: string, cause?: unknown) => void
}

export type ExportState = {
  readonly sink: string
  /** Records that are in the log and not yet with the sink. */
  readonly lag: number
  /** For how long there have been some, ms. */
  readonly lagMs: number
  readonly sent: number
  readonly failures: number
  /** Records that were taken out of the log before they were sent. */
  readonly missing: number
}

const FIRST_BACKOFF_MS = 100
const LAST_BACKOFF_MS = 30_000
/** What a crash sends twice. */
const CURSOR_MS = 1000
/** When the server stops, a sink that takes what is left may have that long. */
const FLUSH_MS = 2000

type Sent = { readonly seq: number; readonly at: number }

export class Exporter {
  readonly #options: ExporterOptions
  readonly #stopping = new AbortController()
  readonly #tail: LogTail
  /** Sent, and not yet certain. */
  #pending: Sent[] = []
  #confirmed = 0
  #written = 0
  #writtenAt = 0
  #behindSince: number | undefined
  #sent = 0
  #failures = 0
  #missing = 0
  #inARow = 0
  #wake: (() => void) | undefined
  #running: Promise<void> | undefined

  constructor(options: ExporterOptions) {
    this.#options = options
    this.#tail = new LogTail(options.directory, 0)
  }

  get state(): ExportState {
    const lag = Math.max(0, this.#options.last() - this.#confirmed)
    return {
      sink: this.#options.name,
      lag,
      lagMs: lag === 0 ? 0 : performance.now() - (this.#behindSince ?? performance.now()),
      sent: this.#sent,
      failures: this.#failures,
      missing: this.#missing,
    }
  }

  async start(): Promise<void> {
    const { cursor, last, warn, name } = this.#options
    let seq = await readCursor(cursor)
    if (seq > last()) {
      warn(`audit export ${name}: the log is another than before, all of it is sent`)
      seq = 0
    }
    this.#confirmed = seq
    this.#written = seq
    await this.#tail.seek(seq)
    if (seq < last()) this.#behindSince = performance.now()
    this.#running = this.#run()
  }

  /** The log has grown. */
  notify(): void {
    this.#behindSince ??= performance.now()
    this.#wake?.()
  }

  /** Sends what is left, if the sink takes it, and remembers how far it came. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return
    const until = performance.now() + FLUSH_MS
    while (this.#inARow === 0 && this.#position < this.#options.last() && performance.now() < until) await sleep(20)
    this.#stopping.abort()
    this.#wake?.()
    // What a sink still holds up ends with what it has open.
    await this.#options.sink.reset()
    await this.#running
    await this.#tail.close()
    await this.#options.sink.reset()
    await this.#remember()
  }

  get #position(): number {
    return this.#pending.at(-1)?.seq ?? this.#confirmed
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#step(signal)
      } catch (error) {
        if (!signal.aborted) await this.#failed(error)
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { sink, last } = this.#options
    const lines = await this.#tail.read(last())
    const newest = lines.at(-1)
    if (newest !== undefined) {
      await sink.send(lines, signal)
      this.#sent += lines.length
      this.#pending.push({ seq: newest.seq, at: performance.now() })
    }
    this.#confirm()
    if (performance.now() - this.#writtenAt > CURSOR_MS) await this.#remember()
    if (newest === undefined) await this.#waitForMore()
  }

  /** What was sent long enough ago, over what still stands, has arrived. */
  #confirm(): void {
    const { sink, name, last, warn } = this.#options
    sink.check()
    const until = performance.now() - sink.settleMs
    const before = this.#confirmed
    for (let first = this.#pending[0]; first !== undefined && first.at <= until; first = this.#pending[0]) {
      this.#confirmed = first.seq
      this.#pending.shift()
    }
    if (this.#confirmed >= last()) this.#behindSince = undefined
    if (this.#confirmed === before) return
    if (this.#inARow > 0) warn(`audit export ${name}: the sink takes records again`)
    this.#inARow = 0
  }

  async #waitForMore(): Promise<void> {
    const { last, sink } = this.#options
    if (this.#position < last() || this.#stopping.signal.aborted) return
    const woken = Promise.withResolvers<void>()
    this.#wake = woken.resolve
    const first = this.#pending[0]
    const settled = first && first.at + sink.settleMs - performance.now()
    const unwritten = this.#confirmed > this.#written ? CURSOR_MS : undefined
    const wait = settled ?? unwritten
    const timer = wait === undefined ? undefined : setTimeout(woken.resolve, Math.max(1, wait))
    await woken.promise
    clearTimeout(timer)
    this.#wake = undefined
  }

  async #failed(error: unknown): Promise<void> {
    const { name, sink, warn } = this.#options
    if (error instanceof Missing) {
      this.#missing += error.count
      warn(`audit export ${name}: ${error.message}`)
      return
    }
    this.#failures += 1
    // Said once: what is out of order stays in the metrics.
    if (this.#inARow === 0)
      warn(`audit export ${name}: the sink takes no records; they stay in the log until it does`, error)
    this.#inARow += 1
    await sink.reset().catch(() => {})
    this.#pending = []
    await this.#tail.seek(this.#confirmed).catch(() => {})
    const delay = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#inARow - 1), LAST_BACKOFF_MS)
    await sleep(delay, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }

  async #remember(): Promise<void> {
    this.#writtenAt = performance.now()
    if (this.#confirmed === this.#written) return
    try {
      await writeCursor(this.#options.cursor, this.#confirmed)
      this.#written = this.#confirmed
    } catch (error) {
      this.#options.warn(`audit export ${this.#options.name}: its position cannot be kept`, error)
    }
  }
}
