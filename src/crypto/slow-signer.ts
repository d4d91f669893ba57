/** Signatures that take JavaScript milliseconds to seconds, made in threads of their own, so that the event loop goes on. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { KmsError } from '../core/error.ts'

export type SlowWork =
  | { readonly kind: 'ml-dsa-mu'; readonly node: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'; readonly mu: Uint8Array }
  | { readonly kind: 'hash-slh-dsa'; readonly digest: Uint8Array; readonly context: Uint8Array }
export type SlowJob = { readonly id: number; readonly work: SlowWork; readonly secret: Uint8Array }
/** Without a signature: it failed. */
export type SlowReply = { readonly id: number; readonly signature?: Uint8Array }

type Waiting = { readonly resolve: (signature: Uint8Array) => void; readonly reject: (error: KmsError) => void }

const WORKER = new URL(import.meta.filename.endsWith('.ts') ? './slow-worker.ts' : './slow-worker.js', import.meta.url)
const THREADS = Math.max(1, Math.min(4, availableParallelism() - 1))
/** Beyond this the caller is told to come back: a pre-hash signature takes a second. */
const MAX_WAITING = 256

class Thread {
  readonly #worker = new Worker(WORKER)
  readonly waiting = new Map<number, Waiting>()
  dead = false

  constructor() {
    this.#worker.unref()
    this.#worker.on('message', ({ id, signature }: SlowReply) => {
      const job = this.#take(id)
      if (signature === undefined) job?.reject(new KmsError('internal'))
      else job?.resolve(signature)
    })
    this.#worker.on('error', (cause) => this.#fail(cause))
    this.#worker.on('exit', () => this.#fail())
  }

  run(job: SlowJob, waiting: Waiting): void {
    this.waiting.set(job.id, waiting)
    this.#worker.ref()
    this.#worker.postMessage(job)
  }

  stop(): Promise<number> {
    return this.#worker.terminate()
  }

  #take(id: number): Waiting | undefined {
    const job = this.waiting.get(id)
    this.waiting.delete(id)
    // An idle thread keeps no process alive.
    if (this.waiting.size === 0) this.#worker.unref()
    return job
  }

  #fail(cause?: unknown): void {
    this.dead = true
    for (const job of this.waiting.values()) job.reject(new KmsError('backend_unavailable', {}, { cause }))
    this.waiting.clear()
  }
}

export class SlowSigner {
  #threads: Thread[] = []
  #jobs = 0

  /** The thread wipes its copy of `secret`, the caller his own. */
  async sign(work: SlowWork, secret: Uint8Array): Promise<Uint8Array> {
    const thread = this.#idlest()
    const id = ++this.#jobs
    return new Promise<Uint8Array>((resolve, reject) => thread.run({ id, work, secret }, { resolve, reject }))
  }

  async close(): Promise<void> {
    const threads = this.#threads
    this.#threads = []
    await Promise.all(threads.map((thread) => thread.stop()))
  }

  /** @throws KmsError throttled when all are busy for long */
  #idlest(): Thread {
    this.#threads = this.#threads.filter(({ dead }) => !dead)
    const waiting = this.#threads.reduce((sum, thread) => sum + thread.waiting.size, 0)
    if (waiting >= MAX_WAITING) throw new KmsError('throttled')
    const [best] = this.#threads.toSorted((one, other) => one.waiting.size - other.waiting.size)
    if (best !== undefined && (best.waiting.size === 0 || this.#threads.length === THREADS)) return best
    const thread = new Thread()
    this.#threads.push(thread)
    return thread
  }
}
