/** Signs as a client does, written apart from the server's code: what both agree on is AWS's rule. */
import { createHash, createHmac } from 'node:crypto'

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}
export type Unsigned = {
  readonly method: string
  /** A path that needs no escapes, and a query that is canonical already. */
  readonly path: string
  readonly query?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}
export type SignOptions = {
  readonly service?: string
  readonly region?: string
  readonly at: number
  /** Names of headers to sign; all when absent. */
  readonly signed?: readonly string[]
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()
export const amzDate = (at: number): string => new Date(at).toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '')

/** The headers to send: those given, the date, the token and the signature. */
export function sign(request: Unsigned, credentials: Credentials, options: SignOptions): Record<string, string> {
  const { service = 'kms', region = 'us-east-1', at } = options
  const date = amzDate(at)
  const headers: Record<string, string> = { ...request.headers, 'x-amz-date': date }
  if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken
  const names = [...(options.signed ?? Object.keys(headers))].map((name) => name.toLowerCase()).sort()
  const byName = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const lines = names.map((name) => `${name}:${(byName.get(name) ?? '').trim().replace(/ +/g, ' ')}\n`).join('')
  const canonical = [
    request.method,
    request.path,
    request.query ?? '',
    lines,
    names.join(';'),
    sha256(request.body ?? ''),
  ]
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical.join('\n'))}`
  const day = hmac(`AWS4${credentials.secretAccessKey}`, date.slice(0, 8))
  const key = hmac(hmac(hmac(day, region), service), 'aws4_request')
  const signature = hmac(key, text).toString('hex')
  const credential = `${credentials.accessKeyId}/${scope}`
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}
