/** Programs on the unmodified Azure SDK, each in a process that trusts the server's CA and goes through its plain port. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RunningTrefoil } from '../support/process.ts'

const TENANT = '00000000-0000-0000-0000-000000000001'
const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

type Report = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** What a program of this folder prints: one JSON object. */
export async function runAzureClient(
  program: string,
  server: RunningTrefoil,
  env: Record<string, string> = {},
): Promise<Report> {
  const tlsPort = new URL(server.tlsUrl).port
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, program)], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      NODE_EXTRA_CA_CERTS: server.caFile,
      AUTHORITY: `https://localhost:${tlsPort}`,
      TENANT,
      VAULT_URL: `https://default.vault.localhost:${tlsPort}`,
      PLAIN_URL: server.plainUrl,
      PROXY_PORT: new URL(server.plainUrl).port,
      ...env,
    },
  })
  return JSON.parse(stdout)
}
