/** The second sink: signed statements of where the chain stood, so that a log cut short or written anew is found out. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { dirname } from 'node:path'
import { StartError } from '../core/error.ts'
import type { AuditFile, AuditFiles } from './files.ts'
import { type Checkpoint, encodeCheckpoint, type Head, openCheckpoint } from './format.ts'
import { readLines } from './lines.ts'

/** The public key is beside the checkpoints, for whoever verifies them. */
export const publicKeyPath = (checkpoints: string): string => `${checkpoints}.pub`

export type CheckpointLine = {
  readonly checkpoint: Checkpoint | undefined
  readonly complete: boolean
  readonly offset: number
}

export function* readCheckpoints(file: AuditFile, publicKey: KeyObject): Generator<CheckpointLine> {
  for (const { bytes, offset, complete } of readLines(file)) {
    const checkpoint = complete ? openCheckpoint(publicKey, Buffer.from(bytes).toString('latin1')) : undefined
    yield { checkpoint, complete, offset }
  }
}

export class CheckpointSink {
  readonly #files: AuditFiles
  readonly #path: string
  readonly #signer: KeyObject
  #length = 0
  #last: Checkpoint | undefined

  /** @throws StartError when the file holds anything this key's owner did not sign */
  constructor(files: AuditFiles, path: string, signer: KeyObject) {
    this.#files = files
    this.#path = path
    this.#signer = signer
  }

  get last(): Checkpoint | undefined {
    return this.#last
  }

  /** Reads what is there, and writes the public key beside it. */
  async start(): Promise<void> {
    const publicKey = createPublicKey(this.#signer)
    this.#files.makeDirectory(dirname(this.#path))
    if (this.#files.identify(this.#path) !== undefined) await this.#with(async (file) => this.#read(file, publicKey))
    await this.#writePublicKey(publicKey)
  }

  #read(file: AuditFile, publicKey: KeyObject): void {
    for (const { checkpoint, complete, offset } of readCheckpoints(file, publicKey)) {
      // Unfinished when the process died: the record it stood for is in the log.
      if (!complete) break
      if (checkpoint === undefined || checkpoint.seq <= (this.#last?.seq ?? 0)) {
        throw new StartError(
          `${this.#path} has a line at byte ${offset} that this installation did not write: it was tampered with or belongs to another installation; restore it, or move it and the audit log away`,
        )
      }
      this.#last = checkpoint
      this.#length = offset + encodeCheckpoint(this.#signer, checkpoint).length
    }
  }

  async #writePublicKey(publicKey: KeyObject): Promise<void> {
    const path = publicKeyPath(this.#path)
    const pem = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }) as string)
    const file = this.#files.identify(path) === undefined ? this.#files.create(path) : this.#files.open(path)
    try {
      if (Buffer.compare(file.read(0, pem.length + 1), pem) === 0) return
      await file.write(pem, 0)
      await file.truncate(pem.length)
      await file.sync()
    } finally {
      file.close()
    }
  }

  async #with(work: (file: AuditFile) => Promise<void>): Promise<void> {
    const found = this.#files.identify(this.#path)
    const file = found === undefined ? this.#files.create(this.#path) : this.#files.open(this.#path)
    try {
      await work(file)
    } finally {
      file.close()
    }
  }

  /**
   * Opened anew each time: the sink may be moved away by whoever collects it, and a new one begins. A line that an
   * earlier failure left unfinished is written over.
   */
  async write(head: Head, time: number): Promise<void> {
    const checkpoint = { ...head, time }
    const line = Buffer.from(encodeCheckpoint(this.#signer, checkpoint))
    await this.#with(async (file) => {
      const at = Math.min(this.#length, file.identity().size)
      await file.truncate(at)
      await file.write(line, at)
      await file.sync()
      this.#length = at + line.length
    })
    this.#last = checkpoint
  }
}
