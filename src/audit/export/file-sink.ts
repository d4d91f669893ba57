/** A second file, which whoever rotates it may move away at any time. */
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Sink } from './sink.ts'
import type { ExportLine } from './tail.ts'

const NEWLINE = 0x0a
const PIECE = 64 * 1024

/** A crash may have left half a line, which would spoil the next one. */
async function endOfLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat()
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - PIECE)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start)
    const at = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE)
    if (at !== -1) return start + at + 1
    end = start
  }
  return 0
}

export class FileSink implements Sink {
  readonly settleMs = 0
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  async send(lines: readonly ExportLine[]): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
    const file = await open(this.#path, 'a+', 0o600)
    try {
      await file.truncate(await endOfLines(file))
      await file.appendFile(lines.map(({ text }) => `${text}\n`).join(''))
      await file.datasync()
    } finally {
      await file.close()
    }
  }

  check(): void {}

  async reset(): Promise<void> {}
}
