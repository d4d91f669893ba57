/**
 * The audit log: an append-only chain of records (format.ts), durable before an append resolves. Records that arrive
 * while a batch is being synced form the next one, so that the cost of a sync is shared.
 */
import type { KeyObject } from 'node:crypto'
import { KmsError } from '../core/error.ts'
import type { AuditLog, AuditRecord } from '../core/ports.ts'
import { CheckpointSink } from './checkpoints.ts'
import { type AuditFiles, NODE_FILES } from './files.ts'
import { encodeRecord, type Head, type Mac, macUnder, recordIds } from './format.ts'
import { listSegments, offsetBefore, readBackwards } from './lines.ts'
import { type Opened, openChain } from './open.ts'
import { SegmentWriter } from './segment-writer.ts'

export type AuditLogOptions = {
  /** Directory of the log's files; made when missing. */
  readonly directory: string
  /** File of the signed checkpoints; the public key goes to `<checkpoints>.pub`. */
  readonly checkpoints: string
  /** HMAC-SHA256 key of the chain, 32 bytes. */
  readonly key: KeyObject
  /** Makes the MACs under that key, in place of node:crypto. */
  readonly mac?: Mac | undefined
  /** Ed25519 private key of the checkpoints. */
  readonly signer: KeyObject
  /** Told of each record that has become durable, in their order. */
  readonly recorded?: ((record: AuditRecord) => void) | undefined
  /** For the operator's log: what was repaired, failed or recovered. */
  readonly warn: (message: string, cause?: unknown) => void
  /** ms since the epoch, for checkpoints. */
  readonly now?: () => number
  readonly files?: AuditFiles
  readonly limits?: Partial<AuditLimits>
}

export type AuditLimits = {
  /** A new file is begun when one is longer. */
  readonly segmentBytes: number
  readonly checkpointRecords: number
  readonly checkpointMs: number
  /** A batch that takes longer fails: the disk hangs. */
  readonly syncMs: number
  readonly retryMs: number
}

const LIMITS: AuditLimits = {
  segmentBytes: 256 * 1024 * 1024,
  checkpointRecords: 1000,
  checkpointMs: 60_000,
  syncMs: 5000,
  retryMs: 250,
}

/** A batch that still grows is written all the same. */
const GATHER_MS = 2

type Batch = { readonly records: AuditRecord[]; readonly done: PromiseWithResolvers<void> }

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Waits for as long as every turn of the event loop brings more records, but not for long. The sync is the dearest part of
 * a record: without the wait the requests in flight settle into two halves that sync by turns, twice as often (measured
 * with 32 in flight).
 */
async function gather({ records }: Batch): Promise<void> {
  const until = performance.now() + GATHER_MS
  let known: number
  do {
    known = records.length
    await turn()
  } while (records.length > known && performance.now() < until)
}

/** @throws StartError: damaged, cut short, another installation's, or not writable */
export async function openAuditLog(options: AuditLogOptions): Promise<ChainedAuditLog> {
  const files = options.files ?? NODE_FILES
  const sink = new CheckpointSink(files, options.checkpoints, options.signer)
  await sink.start()
  const { directory, key, warn } = options
  const opened = await openChain({ directory, key, files, checkpoint: sink.last })
  if (opened.cut > 0) warn(`cut ${opened.cut} bytes of an unfinished record off the audit log`)
  return new ChainedAuditLog(options, files, sink, opened)
}

export class ChainedAuditLog implements AuditLog {
  readonly #options: AuditLogOptions
  readonly #limits: AuditLimits
  readonly #mac: Mac
  readonly #files: AuditFiles
  readonly #sink: CheckpointSink
  #writer: SegmentWriter
  /** The last durable record. */
  #head: Head
  #batch: Batch | undefined
  /** The batches being written, while they are. */
  #running: Promise<void> | undefined
  #failure: unknown
  /** The last write, which may outlive its deadline. Never rejects. */
  #pendingWrite: Promise<void> = Promise.resolve()
  #checkpointFailure: unknown
  #checkpointing: Promise<void> | undefined
  #checkpointTimer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #closed = false

  /** Made by `openAuditLog`. */
  constructor(options: AuditLogOptions, files: AuditFiles, sink: CheckpointSink, opened: Opened) {
    this.#options = options
    this.#limits = { ...LIMITS, ...options.limits }
    this.#mac = options.mac ?? macUnder(options.key)
    this.#files = files
    this.#sink = sink
    this.#writer = opened.writer
    this.#head = opened.head
    this.#scheduleCheckpoint()
  }

  get available(): boolean {
    return this.#failure === undefined && !this.#closed
  }

  async append(record: AuditRecord): Promise<void> {
    if (!this.available) throw this.#unavailable()
    this.#batch ??= { records: [], done: Promise.withResolvers() }
    const { records, done } = this.#batch
    records.push(record)
    this.#running ??= this.#writeBatches()
    try {
      await done.promise
    } catch (cause) {
      // One error a caller: the kernel puts the caller's own key on it.
      throw new KmsError('audit_unavailable', {}, { cause })
    }
  }

  #unavailable(): KmsError {
    return new KmsError('audit_unavailable', {}, { cause: this.#failure ?? new Error('the audit log is closed') })
  }

  async #writeBatches(): Promise<void> {
    while (this.#batch !== undefined && this.#failure === undefined) {
      const batch: Batch = this.#batch
      await gather(batch)
      this.#batch = undefined
      try {
        await this.#writeBatch(batch)
        batch.done.resolve()
        this.#afterBatch()
      } catch (error) {
        batch.done.reject(error)
        this.#fail(error)
      }
    }
    this.#running = undefined
  }

  async #writeBatch(batch: Batch): Promise<void> {
    if (this.#writer.length >= this.#limits.segmentBytes) await this.#nextSegment()
    let text = ''
    let head = this.#head
    for (const record of batch.records) {
      const encoded = encodeRecord(this.#mac, head, record, this.#writer.length === 0 && text === '')
      text += `${encoded.line}\n`
      head = encoded.head
    }
    const bytes = Buffer.from(text)
    await this.#withDeadline(this.#writer.append(bytes))
    this.#writer.accept(bytes)
    this.#head = head
    const { recorded } = this.#options
    if (recorded !== undefined) for (const record of batch.records) recorded(record)
  }

  async #nextSegment(): Promise<void> {
    this.#replaceWriter(SegmentWriter.create(this.#files, this.#options.directory, this.#head))
  }

  /** A disk that hangs fails the batch; what it may still do to the file is waited for before the file is trusted again. */
  async #withDeadline(work: Promise<void>): Promise<void> {
    this.#pendingWrite = work.catch(() => {})
    const late = Promise.withResolvers<never>()
    const { syncMs } = this.#limits
    const timer = setTimeout(() => late.reject(new Error(`the audit file did not sync within ${syncMs} ms`)), syncMs)
    try {
      await Promise.race([work, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  #afterBatch(): void {
    if (this.#head.seq - (this.#sink.last?.seq ?? 0) >= this.#limits.checkpointRecords) void this.#checkpointDue()
  }

  /** Enough records for the next one may have come while one was being written. A sink that fails is left to its timer. */
  async #checkpointDue(): Promise<void> {
    const before = this.#sink.last
    await this.#checkpoint()
    if (this.#sink.last !== before) this.#afterBatch()
  }

  #fail(cause: unknown): void {
    this.#failure = cause ?? new Error('unknown failure')
    this.#batch?.done.reject(cause)
    this.#batch = undefined
    this.#options.warn('the audit log cannot be written; requests are refused until it can', cause)
    this.#retryLater()
  }

  #retryLater(): void {
    if (this.#closed) return
    this.#retryTimer = setTimeout(() => void this.#recover(), this.#limits.retryMs)
    this.#retryTimer.unref()
  }

  /** Back to the last durable record: in the same file where it still ends with it, else in a new one that links to it. */
  async #recover(): Promise<void> {
    try {
      await this.#pendingWrite
      const reopened = await this.#writer.reopen(this.#head)
      if (reopened === undefined) await this.#continueElsewhere()
      else this.#replaceWriter(reopened)
      this.#failure = undefined
      this.#options.warn('the audit log can be written again')
    } catch {
      this.#retryLater()
    }
  }

  /** The new file is ours before it is proven: what fails now is tried again on it, since its name is taken. */
  async #continueElsewhere(): Promise<void> {
    this.#files.makeDirectory(this.#options.directory)
    this.#replaceWriter(SegmentWriter.create(this.#files, this.#options.directory, this.#head))
    await this.#writer.prove()
  }

  #replaceWriter(writer: SegmentWriter): void {
    this.#writer.close()
    this.#writer = writer
  }

  #scheduleCheckpoint(): void {
    this.#checkpointTimer = setInterval(() => void this.#checkpoint(), this.#limits.checkpointMs)
    this.#checkpointTimer.unref()
  }

  #checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#writeCheckpoint().finally(() => {
      this.#checkpointing = undefined
    })
    return this.#checkpointing
  }

  /** A sink that fails costs the detection of truncation, not the service: said once, tried again with the next. */
  async #writeCheckpoint(): Promise<void> {
    if (this.#head.seq === (this.#sink.last?.seq ?? 0)) return
    try {
      await this.#sink.write(this.#head, (this.#options.now ?? Date.now)())
      this.#checkpointFailure = undefined
    } catch (error) {
      if (this.#checkpointFailure === undefined)
        this.#options.warn('no checkpoint of the audit log could be written', error)
      this.#checkpointFailure = error
    }
  }

  get last(): number {
    return this.#head.seq
  }

  /** Records that wait to be written; those that are being written are not among them. */
  get waiting(): number {
    return this.#batch?.records.length ?? 0
  }

  async has(ids: readonly string[], after: number): Promise<ReadonlySet<string>> {
    const wanted = new Set(ids)
    const found = new Set<string>()
    for (const { path, first } of listSegments(this.#files, this.#options.directory).toReversed()) {
      if (found.size === wanted.size) break
      const file = this.#files.open(path)
      try {
        const start = first > after ? 0 : offsetBefore(file, after)
        for (const { bytes, offset } of readBackwards(file, file.identity().size)) {
          for (const id of recordIds(bytes)) if (wanted.has(id)) found.add(id)
          if (found.size === wanted.size || offset <= start) break
        }
      } finally {
        file.close()
      }
      if (first <= after) break
    }
    return found
  }

  async health(): Promise<void> {
    if (!this.available) throw this.#unavailable()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#checkpointTimer)
    clearTimeout(this.#retryTimer)
    await this.#running
    // One that is being written may stand for an earlier record than the last.
    await this.#checkpointing
    await this.#checkpoint()
    this.#writer.close()
  }
}
