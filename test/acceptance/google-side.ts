/** What stands for Google and for a company's identity provider: their issuers, and requests as their services send them. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type IssuerServer, type Json, rsaKey, type SigningKey, serveIssuer, token } from '../oidc/support.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // biome-ignore lint/suspicious/noExplicitAny: bodies are compared, not computed with
  readonly body: any
}
export type Sending = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export type Issuer = IssuerServer & { readonly key: SigningKey; sign(claims: Json, header?: Json): string }

export async function startIssuer(t: Test, kid: string): Promise<Issuer> {
  const key = rsaKey(kid)
  const server = await serveIssuer([key.jwk])
  t.teardown(() => server.close())
  return Object.assign(server, { key, sign: (claims: Json, header: Json = {}) => token(claims, key, header) })
}

/** Requests to one listener, over TLS that is verified, on connections that are kept. */
export function client(t: Test, origin: string, ca: Buffer) {
  const agent = new https.Agent({ keepAlive: true, ca })
  t.teardown(() => agent.destroy())
  return (path: string, { method = 'POST', headers = {}, body }: Sending = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const type = payload === undefined ? {} : { 'content-type': 'application/json' }
      const request = https.request(`${origin}${path}`, { agent, method, headers: { ...type, ...headers } })
      request.once('error', reject)
      request.once('response', async (response) => {
        const text = Buffer.concat(await response.toArray()).toString()
        const json = /json/.test(response.headers['content-type'] ?? '')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: json ? JSON.parse(text) : text })
      })
      request.end(payload)
    })
}

/** The server with keys managed on one listener and exposed on another. */
export async function startExposing(t: Test, exposures: readonly object[]) {
  const config = {
    listeners: [
      { port: 0, dialects: ['aws', 'azure', 'gcp'] },
      { port: 0, tls: {}, dialects: ['ekm'] },
    ],
    exposures,
    auth: { gcp: 'off' },
  }
  const env = { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' }
  const server = await startTrefoil({ config, env })
  t.teardown(() => server.stop())
  return { server, ask: client(t, server.tlsUrl, readFileSync(server.caFile)) }
}

/** As `gcloud kms keys create` does. */
export async function makeKey({ plainUrl }: RunningTrefoil, ring: string, name: string, more: Json): Promise<void> {
  const base = `${plainUrl}/v1/projects/local/locations/global/keyRings`
  const post = (url: string, body: Json) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  await post(`${base}?keyRingId=${ring}`, {})
  const made = await post(`${base}/${ring}/cryptoKeys?cryptoKeyId=${name}`, more)
  if (made.status !== 200) throw new Error(await made.text())
}
export const SYMMETRIC = { purpose: 'ENCRYPT_DECRYPT' }
export const signing = (algorithm: string): Json => ({ purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm } })

/** Everything that the server has written to be read: its log and its records. */
export function written({ dataDir, log }: RunningTrefoil): string {
  const audit = join(dataDir, 'audit')
  const files = readdirSync(audit, { recursive: true, encoding: 'utf8' }).map((name) => join(audit, name))
  return log() + files.filter((name) => statSync(name).isFile()).map((name) => readFileSync(name, 'latin1'))
}
