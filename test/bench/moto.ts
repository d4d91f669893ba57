/** Another stand-in for AWS KMS, where it is installed: its rate for the same calls in the same run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasTool } from '../acceptance/aws-tools.ts'

const TOOL = 'moto_server'
const START_MS = 60_000

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export type Moto = { readonly plainUrl: string; readonly pid: number; stop(): Promise<void> }

/** Undefined where it is not installed. */
export async function startMoto(): Promise<Moto | undefined> {
  if (!hasTool(TOOL)) return undefined
  const port = await freePort()
  const child = spawn(TOOL, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  const plainUrl = `http://127.0.0.1:${port}`
  const until = Date.now() + START_MS
  while (
    !(await fetch(plainUrl).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (Date.now() > until || child.exitCode !== null) throw new Error('moto_server did not start')
    await sleep(100)
  }
  return {
    plainUrl,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
