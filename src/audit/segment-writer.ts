/** The end of the chain on disk: one file, its durable length, and what it takes to trust it again after a failure. */
import type { AuditFile, AuditFiles } from './files.ts'
import { type Head, lineEnd } from './format.ts'
import { segmentPath } from './lines.ts'

/** More than a batch is likely to need, so that a disk that takes it is worth another try. */
const PROBE = new Uint8Array(16 * 1024)

export class SegmentWriter {
  readonly #path: string
  readonly #file: AuditFile
  readonly #files: AuditFiles
  readonly #inode: bigint
  #length: number

  /** `length`: bytes that are durable; what stands behind them is not part of the chain. */
  constructor(files: AuditFiles, path: string, file: AuditFile, length: number) {
    this.#files = files
    this.#path = path
    this.#file = file
    this.#length = length
    this.#inode = file.identity().inode
  }

  static create(files: AuditFiles, directory: string, head: Head): SegmentWriter {
    const path = segmentPath(directory, head.seq + 1)
    return new SegmentWriter(files, path, files.create(path), 0)
  }

  /** Bytes that are durable. */
  get length(): number {
    return this.#length
  }

  /**
   * Resolves when the bytes are durable in the file that has our name. They are part of the chain once `accept` says so:
   * a write that outlives its deadline must not move the end behind which the next attempt begins.
   */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.append(bytes, this.#length)
    const found = this.#files.identify(this.#path)
    if (found === undefined || found.inode !== this.#inode) throw new Error('the audit file is gone')
    if (found.size !== this.#length + bytes.length) throw new Error('the audit file was changed by somebody else')
  }

  /** The bytes appended last are acknowledged. */
  accept(bytes: Uint8Array): void {
    this.#length += bytes.length
  }

  /**
   * After a failure: the file as it was at the last durable record, proven to take writes again. Undefined when it is
   * gone or no longer ours, and the chain has to go on in another file.
   */
  async reopen(head: Head): Promise<SegmentWriter | undefined> {
    if (this.#files.identify(this.#path) === undefined) return undefined
    const file = this.#files.open(this.#path)
    try {
      if (!this.#endsWith(file, head)) {
        file.close()
        return undefined
      }
      const writer = new SegmentWriter(this.#files, this.#path, file, this.#length)
      await writer.prove()
      return writer
    } catch (error) {
      file.close()
      throw error
    }
  }

  #endsWith(file: AuditFile, head: Head): boolean {
    if (this.#length === 0) return true
    const end = Buffer.from(lineEnd(head))
    return Buffer.compare(file.read(this.#length - end.length, end.length), end) === 0
  }

  /** Zeros behind the end: should we die here, they are seen as an unfinished record and cut off. */
  async prove(): Promise<void> {
    await this.#file.truncate(this.#length)
    await this.#file.write(PROBE, this.#length)
    await this.#file.sync()
    await this.#file.truncate(this.#length)
    await this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }
}
