/**
 * AWS KMS as a caller of external key store proxies: the XKS proxy API v1.0.3 written from the specification alone, with
 * its own signatures, ciphertext parts and integrity values. Nothing here is the server's.
 */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'

export type Credential = { readonly accessKeyId: string; readonly secret: string }
export type Json = Record<string, unknown>
export type Answer = { readonly status: number; readonly text: string; readonly json: Json; readonly type: string }

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
export const newCredential = (): Credential => ({
  accessKeyId: Array.from(randomBytes(24), (byte) => BASE32[byte & 31]).join(''),
  secret: randomBytes(32).toString('base64'),
})

const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()

export type Request = {
  readonly method?: string
  readonly path: string
  readonly body: string
  /** ms since the epoch; absent: now. */
  readonly at?: number
  readonly service?: string
  readonly region?: string
  /** Signed besides host and x-amz-date. */
  readonly signed?: Readonly<Record<string, string>>
  readonly unsigned?: Readonly<Record<string, string>>
  /** Of the credential's scope, where it is not the request's own date. */
  readonly day?: string
  /** What is done to the headers after they were signed; undefined takes one away. */
  readonly change?: Readonly<Record<string, string | undefined>>
  readonly credential?: Credential
  /** Sent instead of the body that was signed. */
  readonly sent?: string
  /** Left out of the signature. */
  readonly leave?: readonly string[]
  /** Sent there instead of the path that was signed. */
  readonly to?: string
}

/** The headers of appendix A. */
export function signedHeaders(
  request: Request,
  host: string,
  { accessKeyId, secret }: Credential,
): Record<string, string> {
  const { method = 'POST', path, body, at = Date.now(), service = 'kms-xks-proxy', region = 'us-east-1' } = request
  const time = new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = request.day ?? time.slice(0, 8)
  const own: Record<string, string> = { host, 'x-amz-date': time, ...request.signed }
  const names = Object.keys(own)
    .filter((name) => request.leave?.includes(name) !== true)
    .sort()
  const lines = names.map((name) => `${name}:${own[name]?.trim().replace(/ +/g, ' ')}\n`).join('')
  const canonical = [method, path, '', lines, names.join(';'), sha256(body)].join('\n')
  const scope = [day, region, service, 'aws4_request']
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n')
  const key = scope.reduce<Uint8Array>((last, part) => hmac(last, part), Buffer.from(`AWS4${secret}`))
  const signature = hmac(key, toSign).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...own, ...request.unsigned, authorization }
}

export type Tls = Pick<https.AgentOptions, 'ca' | 'cert' | 'key' | 'ciphers' | 'minVersion' | 'maxVersion'>

export class Kms {
  readonly url: URL
  readonly prefix: string
  readonly credential: Credential
  readonly #agent: http.Agent

  constructor(url: string, prefix: string, credential: Credential, tls: Tls = {}, sockets = 16) {
    this.url = new URL(url)
    this.prefix = prefix
    this.credential = credential
    const options = { keepAlive: true, maxSockets: sockets }
    this.#agent = this.url.protocol === 'https:' ? new https.Agent({ ...options, ...tls }) : new http.Agent(options)
  }

  close(): void {
    this.#agent.destroy()
  }

  path(route: string): string {
    return `${this.prefix === '' ? '' : `/${this.prefix}`}/kms/xks/v1/${route}`
  }

  send(request: Request): Promise<Answer> {
    const headers: Record<string, string | undefined> = {
      'content-type': 'application/json',
      ...signedHeaders(request, this.url.host, request.credential ?? this.credential),
      ...request.change,
    }
    const body = request.sent ?? request.body
    const present = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
    const { method = 'POST', path, to = path } = request
    const lib = this.url.protocol === 'https:' ? https : http
    return new Promise((resolve, reject) => {
      const sent = lib.request(
        this.url,
        {
          agent: this.#agent,
          method,
          path: to,
          headers: { ...present, 'content-length': Buffer.byteLength(body) } as http.OutgoingHttpHeaders,
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString()
            const json = text.startsWith('{') ? (JSON.parse(text) as Json) : {}
            resolve({ status: response.statusCode ?? 0, text, json, type: String(response.headers['content-type']) })
          })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** A well-formed, signed request. */
  ask(route: string, body: Json, more: Partial<Request> = {}): Promise<Answer> {
    return this.send({ path: this.path(route), body: JSON.stringify(body), ...more })
  }
}

export const PRINCIPAL = 'arn:aws:iam::123456789012:user/Alice'
export const KEY_ARN = 'arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
export const requestMetadata = (kmsOperation: string, more: Json = {}): Json => ({
  awsPrincipalArn: PRINCIPAL,
  kmsKeyArn: KEY_ARN,
  kmsOperation,
  kmsRequestId: randomUUID(),
  ...more,
})
export const b64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')
const bytesOf = (value: unknown): Buffer => Buffer.from(String(value ?? ''), 'base64')

export const encryptBody = (plaintext: string, more: Json = {}): Json => ({
  requestMetadata: requestMetadata('Encrypt'),
  plaintext,
  encryptionAlgorithm: 'AES_GCM',
  ...more,
})
/** Of the parts of an encryption's answer, as AWS KMS keeps them in its ciphertext. */
export const decryptBody = (parts: Json, more: Json = {}): Json => ({
  requestMetadata: requestMetadata('Decrypt'),
  ciphertext: parts.ciphertext,
  ...(parts.ciphertextMetadata !== undefined && { ciphertextMetadata: parts.ciphertextMetadata }),
  initializationVector: parts.initializationVector,
  authenticationTag: parts.authenticationTag,
  encryptionAlgorithm: 'AES_GCM',
  ...more,
})
/** Appendix C. */
export const integrityValue = (aad: string | undefined, parts: Json): string =>
  createHash('sha256')
    .update(bytesOf(aad))
    .update(bytesOf(parts.ciphertextMetadata))
    .update(bytesOf(parts.initializationVector))
    .update(bytesOf(parts.ciphertext))
    .update(bytesOf(parts.authenticationTag))
    .digest('base64')

/** Each of a value's bits may be the one that was damaged. */
export function damaged(text: unknown, bit = 0): string {
  const bytes = bytesOf(text)
  const at = Math.floor(bit / 8) % bytes.length
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8))
  return bytes.toString('base64')
}
