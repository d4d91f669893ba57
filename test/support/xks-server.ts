/** A server with exposed keys, made through the clouds' own management APIs, and the callers of its prefixes. */
import { readFileSync } from 'node:fs'
import { startTrefoil } from './process.ts'
import { type Credential, Kms, newCredential, type Tls } from './xks-kms.ts'

type Json = Record<string, unknown>
export type XksServerOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly config?: Json
  /** Of the listener that serves the proxy API; absent: the local authority's certificate. */
  readonly tls?: Json
  /** Over the first prefix's own settings. */
  readonly exposure?: Json
  readonly more?: readonly Json[]
}

const RING = 'projects/local/locations/global/keyRings/default'
export const exposureOf = (name: string, secret: string, { accessKeyId }: Credential, keys: readonly Json[]): Json => ({
  protocol: 'xks',
  name,
  prefix: name,
  credentials: [{ accessKeyId, secret: { env: secret } }],
  keys,
  // A busy machine is no overload.
  deadlineMs: 10_000,
})

async function send(method: string, url: string, body: Json, headers: Record<string, string> = {}): Promise<Json> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`)
  return JSON.parse(text) as Json
}

/** `a` has the keys raw, envelope, and raw once more for less; `b` has a key of its own. */
export async function startXks(options: XksServerOptions = {}) {
  const [first, second] = [newCredential(), newCredential()]
  const keys = [
    { id: 'raw', key: 'default/raw' },
    { id: 'envelope', key: 'default/envelope' },
    { id: 'encrypt_only_key', key: 'default/raw', usage: ['encrypt'] },
    { id: 'decrypt_only_key', key: 'default/raw', usage: ['decrypt'] },
    { id: 'impotent_key', key: 'default/raw', usage: [] },
    { id: 'not-there', key: 'default/not-there' },
    { id: 'signer', key: 'default/signer' },
  ]
  const trefoil = await startTrefoil({
    env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '', XKS_A: first.secret, XKS_B: second.secret, ...options.env },
    config: {
      listeners: [
        { port: 0, dialects: ['aws', 'azure', 'gcp'] },
        { port: 0, address: 'localhost', tls: options.tls ?? {}, dialects: ['xks'] },
      ],
      exposures: [
        { ...exposureOf('a', 'XKS_A', first, keys), ...options.exposure },
        exposureOf('b', 'XKS_B', second, [{ id: 'of-b', key: 'default/of-b' }]),
        ...(options.more ?? []),
      ],
      ...options.config,
    },
  })
  const gcp = (path: string, body: Json = {}): Promise<Json> =>
    send('POST', `${trefoil.plainUrl}/v1/${RING}/${path}`, body)
  const make = (name: string, purpose: string, algorithm: string, more: Json = {}): Promise<Json> =>
    gcp(`cryptoKeys?cryptoKeyId=${name}`, { purpose, versionTemplate: { algorithm, ...more } })
  const aws = (target: string, body: Json): Promise<Json> =>
    send('POST', trefoil.plainUrl, body, {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `TrentService.${target}`,
    })
  const ca = (): string => readFileSync(trefoil.caFile, 'utf8')
  const callers: Kms[] = []
  const caller = (prefix: string, credential: Credential, tls: Tls = { ca: ca() }): Kms => {
    const kms = new Kms(trefoil.tlsUrl, prefix, credential, tls)
    callers.push(kms)
    return kms
  }
  return {
    trefoil,
    first,
    second,
    gcp,
    patch: (path: string, body: Json) => send('PATCH', `${trefoil.plainUrl}/v1/${RING}/${path}`, body),
    aws,
    make,
    makeRaw: (name: string) => make(name, 'RAW_ENCRYPT_DECRYPT', 'AES_256_GCM'),
    caller,
    async stop() {
      for (const kms of callers) kms.close()
      return trefoil.stop()
    },
  }
}
export type XksServer = Awaited<ReturnType<typeof startXks>>

export async function makeKeys({ make, makeRaw }: XksServer): Promise<void> {
  await makeRaw('raw')
  await makeRaw('of-b')
  await make('envelope', 'ENCRYPT_DECRYPT', 'GOOGLE_SYMMETRIC_ENCRYPTION')
  await make('signer', 'ASYMMETRIC_SIGN', 'EC_SIGN_P256_SHA256')
}
