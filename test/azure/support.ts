/** The server with this dialect alone and no sockets, over a kernel with a memory store. */
import { generateKeyPairSync } from 'node:crypto'
import pino from 'pino'
import { createAzureSurface } from '../../src/api/azure/index.ts'
import { TokenVerifier } from '../../src/api/oidc/verifier.ts'
import { createServer } from '../../src/api/server.ts'
import type { AzureIssuerConfig } from '../../src/config/callers.ts'
import { type AuthMode, type Config, loadConfig, type RingConfig } from '../../src/config.ts'
import { type KernelOptions, makeKernel } from '../support/kernel.ts'

export const TENANT = '00000000-0000-0000-0000-000000000001'
export const VERSION = 'api-version=2025-07-01'
export const HOST = 'default.vault.localhost:7443'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of any answer
  readonly body: any
}
export type Ask = {
  readonly headers?: Readonly<Record<string, string>>
  readonly host?: string
  /** Null: no Authorization header. */
  readonly token?: string | null
}

type Overrides = {
  readonly profile?: Config['profile']
  readonly auth?: AuthMode
  readonly publicUrl?: string
  readonly rings?: readonly RingConfig[]
  readonly issuers?: readonly AzureIssuerConfig[]
}

/** Made once: it takes a while. */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const standInKey = async () => privateKey

export async function makeAzure(
  { auth = 'off', issuers = [], ...overrides }: Overrides = {},
  options: KernelOptions = {},
) {
  const { rings = [] } = overrides
  const kernel = await makeKernel({ ...options, rings })
  const config = loadConfig({ env: {} })
  const verifier = new TokenVerifier({ issuers, clock: kernel.clock, failed: () => {} })
  const { app } = await createServer({
    config: { ...config, ...overrides, auth: { ...config.auth, azure: auth } },
    surfaces: [createAzureSurface({ issuers, clientCertificates: false, verifier, standInKey })],
    services: { kernel: kernel.kernel, clock: kernel.clock, log: pino({ level: 'silent' }) },
    readiness: [],
  })

  /** `path` may bring a query of its own; the api-version is added where it names none. */
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    { headers, host, token }: Ask = {},
  ): Promise<Answer> => {
    const url = /api(-|%2D)version/.test(path) ? path : `${path}${path.includes('?') ? '&' : '?'}${VERSION}`
    const response = await app.inject({
      method: method as 'GET',
      url,
      headers: {
        host: host ?? HOST,
        ...(token === null ? {} : { authorization: `Bearer ${token ?? 'anything'}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = response.body
    const json = text.startsWith('{')
    return { status: response.statusCode, headers: response.headers, body: json ? JSON.parse(text) : text }
  }
  const create = async (name: string, body: Record<string, unknown> = { kty: 'EC' }): Promise<Answer> =>
    ask('POST', `/keys/${name}/create`, body)
  return { ...kernel, app, ask, create }
}
export type TestAzure = Awaited<ReturnType<typeof makeAzure>>

export const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
