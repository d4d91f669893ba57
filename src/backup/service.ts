/** Backups of a running server. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { invalidArgument, KmsError } from '../core/error.ts'
import { createFile } from '../store/files.ts'
import { type BackupKind, FORMAT, fileName, fingerprintOf, type RootOfBackup } from './format.ts'
import { type BackupIndex, readIndex } from './index-file.ts'
import type { WorkerJob, WorkerReply } from './worker.ts'

export type BackupsOptions = {
  readonly database: string
  readonly audit: string
  readonly checkpoints: string
  readonly escrow?: string
  /** Where what increments need is kept. */
  readonly directory: string
  readonly recipients: readonly string[]
  readonly version: string
  readonly installation: string
  /** Ed25519: PKCS#8 and SubjectPublicKeyInfo, DER. */
  readonly signer: { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array }
  /** The root key, for one backup. */
  root(): RootOfBackup
}

export type RunningBackup = {
  readonly id: string
  readonly kind: BackupKind
  readonly name: string
  readonly createdAt: string
  /** SHA-256 of the public key that signs it, in hex. */
  readonly signer: string
  readonly stream: Readable
}

const WORKER = new URL(import.meta.filename.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
/** Older ones than these can't be gone on from. */
const KEPT_INDEXES = 16
const ID = /^[0-9a-f]{32}$/

/** Asks the thread for one chunk at a time, so that a slow reader slows the thread down. */
async function* chunksOf(worker: Worker, done: (index: BackupIndex) => void): AsyncGenerator<Uint8Array> {
  const replies: WorkerReply[] = []
  let wake: (() => void) | undefined
  const push = (reply: WorkerReply): void => {
    replies.push(reply)
    wake?.()
  }
  worker.on('message', push)
  worker.on('error', (error) => push({ failed: error.message }))
  worker.on('exit', () => push({ failed: 'its thread ended' }))
  try {
    for (;;) {
      worker.postMessage('next')
      while (replies.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const reply = replies.shift() as WorkerReply
      if ('failed' in reply) throw new Error(`the backup failed: ${reply.failed}`)
      if ('done' in reply) {
        done(reply.done)
        return
      }
      yield reply.chunk
    }
  } finally {
    await worker.terminate()
  }
}

export class Backups {
  readonly #options: BackupsOptions
  #running = false

  constructor(options: BackupsOptions) {
    this.#options = options
  }

  #indexPath(id: string, pending = false): string {
    return join(this.#options.directory, `${id}${pending ? '.pending' : ''}.json`)
  }

  /** @throws KmsError invalid_argument */
  #parent(since: string | undefined): BackupIndex | undefined {
    if (since === undefined) return undefined
    if (!ID.test(since) || !existsSync(this.#indexPath(since))) {
      throw invalidArgument('since', `this server does not know the backup ${since}: take a full one`)
    }
    return readIndex(this.#indexPath(since))
  }

  /** Whether `create` would make one. @throws KmsError invalid_argument, conflict; Problem */
  check(since: string | undefined): void {
    if (this.#options.recipients.length === 0) {
      throw invalidArgument('backup.recipients', 'no recovery key is configured')
    }
    if (this.#running) throw new KmsError('conflict', { reason: 'another backup is being made' })
    this.#parent(since)
  }

  /** @param since what it goes on from; absent: a full backup. @throws KmsError invalid_argument, conflict */
  create(since: string | undefined): RunningBackup {
    this.check(since)
    const { recipients, version, installation, signer, root, directory, ...files } = this.#options
    const parent = this.#parent(since)
    const id = randomBytes(16).toString('hex')
    const createdAt = new Date().toISOString()
    const kind = parent === undefined ? 'full' : 'inc'
    const publicKey = Buffer.from(signer.publicKey).toString('base64')
    const manifest = { format: FORMAT, id, createdAt, version, installation, signer: publicKey, root: root() } as const
    const job: WorkerJob = { ...files, manifest, signer: signer.privateKey, recipients, ...(parent && { parent }) }
    this.#running = true
    const worker = new Worker(WORKER, { workerData: job })
    const stream = Readable.from(chunksOf(worker, (index) => this.#keep(index)))
    stream.once('close', () => {
      this.#running = false
    })
    return { id, kind, name: fileName(createdAt, kind, id), createdAt, signer: fingerprintOf(signer.publicKey), stream }
  }

  #keep(index: BackupIndex): void {
    mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.#options.directory)) {
      if (name.endsWith('.pending.json')) rmSync(join(this.#options.directory, name), { force: true })
    }
    createFile(this.#indexPath(index.id, true), Buffer.from(JSON.stringify(index)))
  }

  /** Its file is whole and durable: the next may go on from it. @throws KmsError invalid_argument */
  complete(id: string): void {
    if (!ID.test(id)) throw invalidArgument('id', 'not the id of a backup')
    if (existsSync(this.#indexPath(id))) return
    if (!existsSync(this.#indexPath(id, true))) throw invalidArgument('id', 'no backup of that id was made here')
    renameSync(this.#indexPath(id, true), this.#indexPath(id))
    this.#forgetOld()
  }

  #forgetOld(): void {
    const { directory } = this.#options
    const indexes = readdirSync(directory).filter((name) => /^[0-9a-f]{32}\.json$/.test(name))
    const known = indexes.map((name) => ({ name, at: statSync(join(directory, name)).mtimeMs }))
    for (const { name } of known.sort((one, other) => other.at - one.at).slice(KEPT_INDEXES)) {
      rmSync(join(directory, name), { force: true })
    }
  }
}
