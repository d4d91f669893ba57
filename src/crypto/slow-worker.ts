/** The thread of a SlowSigner. */
import { parentPort } from 'node:worker_threads'
import { signHashSlhDsa, signMu } from '../core/post-quantum.ts'
import type { SlowJob, SlowReply } from './slow-signer.ts'

function sign({ work, secret }: SlowJob): Uint8Array {
  try {
    return work.kind === 'ml-dsa-mu' ? signMu(work, secret, work.mu) : signHashSlhDsa(secret, work.digest, work.context)
  } finally {
    secret.fill(0)
  }
}

parentPort?.on('message', (job: SlowJob) => {
  let reply: SlowReply
  try {
    reply = { id: job.id, signature: sign(job) }
  } catch {
    reply = { id: job.id }
  }
  parentPort?.postMessage(reply)
})
