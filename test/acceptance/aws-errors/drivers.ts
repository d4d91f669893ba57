/** The clients that send the tables' requests: the JavaScript SDK, and boto3 in a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as sdk from '@aws-sdk/client-kms'
import { KMSClient, KMSServiceException } from '@aws-sdk/client-kms'
import { awsEnvironment, CREDENTIALS, hasTool, run } from '../aws-tools.ts'
import type { Request } from './table.ts'
import { REGION } from './world.ts'

export type Ending =
  | { readonly members: readonly string[]; readonly output: Readonly<Record<string, unknown>> }
  | { readonly error: string; readonly message: string; readonly status: number }
  /** The client is older than the operation. */
  | { readonly unknown: true }

export type Driver = {
  readonly name: string
  send(operation: string, request: Request, region?: string): Promise<Ending>
  close(): Promise<void>
}

type Command = new (input: object) => sdk.EncryptCommand

/** Members with a value; the SDK has absent ones as undefined. */
const membersOf = (output: object): readonly string[] =>
  Object.entries(output)
    .filter(([name, value]) => name !== '$metadata' && value !== undefined)
    .map(([name]) => name)
    .sort()

function sdkDriver(endpoint: string): Driver {
  const clients = new Map<string, KMSClient>()
  const clientIn = (region: string): KMSClient => {
    const known = clients.get(region)
    if (known !== undefined) return known
    const client = new KMSClient({ endpoint, region, credentials: CREDENTIALS, maxAttempts: 1 })
    clients.set(region, client)
    return client
  }
  return {
    name: 'SDK v3',
    async send(operation, request, region = REGION) {
      const Made = Reflect.get(sdk, `${operation}Command`) as Command
      try {
        const output = await clientIn(region).send(new Made(request))
        return { members: membersOf(output), output: { ...output } }
      } catch (error) {
        if (!(error instanceof KMSServiceException)) throw error
        return { error: error.name, message: error.message, status: error.$metadata.httpStatusCode ?? 0 }
      }
    },
    async close() {
      for (const client of clients.values()) client.destroy()
    },
  }
}

const env = awsEnvironment()
const hasBoto3 = async (): Promise<boolean> =>
  hasTool('python3') && (await run('python3', ['-c', 'import boto3'], { env })).code === 0
const botoMissing = (await hasBoto3()) ? undefined : 'no tool: python3 with boto3'

/** Bytes at any depth; a Buffer would have been made JSON of before the replacer sees it. */
const encoded = (_name: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString('base64') } : value
const plain = (request: Request): Request =>
  Object.fromEntries(
    Object.entries(request).map(([name, value]) => [name, Buffer.isBuffer(value) ? new Uint8Array(value) : value]),
  )

function botoDriver(endpoint: string): Driver {
  const args = [join(import.meta.dirname, 'drivers.py'), endpoint]
  const child = spawn('python3', args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const waiting = new Map<number, (ending: Ending) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, ...ending } = JSON.parse(line) as { readonly id: number } & Ending
    waiting.get(id)?.(ending as Ending)
    waiting.delete(id)
  })
  let last = 0
  return {
    name: 'boto3',
    send(operation, request, region = REGION) {
      last += 1
      const id = last
      child.stdin.write(`${JSON.stringify({ id, operation, region, request: plain(request) }, encoded)}\n`)
      const died = exited.then(() => {
        throw new Error('the boto3 process ended')
      })
      return Promise.race([new Promise<Ending>((done) => void waiting.set(id, done)), died])
    },
    async close() {
      child.stdin.end()
      await exited
    },
  }
}

export const DRIVERS = [
  { name: 'SDK v3', make: sdkDriver, missing: undefined },
  /** `missing`: why it can't be asked. */
  { name: 'boto3', make: botoDriver, missing: botoMissing },
] as const
