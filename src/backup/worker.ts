/** The thread that reads, encrypts and hands out a backup, chunk by chunk as it is asked for. */
import { parentPort, workerData } from 'node:worker_threads'
import { encrypted } from './age.ts'
import type { BackupIndex } from './index-file.ts'
import { type BackupJob, backupLines } from './write.ts'

export type WorkerJob = BackupJob & { readonly recipients: readonly string[] }
export type WorkerReply = { readonly chunk: Uint8Array } | { readonly done: BackupIndex } | { readonly failed: string }

async function* asAsync(lines: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* lines
}

async function run(job: WorkerJob): Promise<void> {
  let index: BackupIndex | undefined
  const plain = backupLines(job, (made) => {
    index = made
  })
  const reader = (await encrypted(job.recipients, asAsync(plain))).getReader()
  const reply = (message: WorkerReply): void => parentPort?.postMessage(message)
  parentPort?.on('message', async () => {
    try {
      const { value, done } = await reader.read()
      if (!done) reply({ chunk: value })
      else reply(index === undefined ? { failed: 'it did not end' } : { done: index })
    } catch (error) {
      reply({ failed: (error as Error).message })
    }
  })
}

run(workerData as WorkerJob).catch((error: Error) => parentPort?.postMessage({ failed: error.message }))
