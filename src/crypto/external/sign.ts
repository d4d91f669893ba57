/** SigV4 as the XKS proxy API has it (specification v1.0.3, appendix A): POST, no query, host and x-amz-date signed. */
import { createHash, createHmac } from 'node:crypto'
import type { Secret } from '../../core/secret.ts'

const SERVICE = 'kms-xks-proxy'
const SIGNED = 'host;x-amz-date'

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: Uint8Array | string, data: string): Buffer => createHmac('sha256', key).update(data).digest()

export type ProxyRequest = {
  readonly host: string
  readonly path: string
  readonly body: string
  readonly region: string
  readonly accessKeyId: string
  readonly secret: Secret
  /** ms since the epoch */
  readonly at: number
}

function signingKey(secret: Secret, date: string, region: string): Buffer {
  const key = secret.use((bytes) => hmac(`AWS4${Buffer.from(bytes).toString()}`, date))
  return hmac(hmac(hmac(key, region), SERVICE), 'aws4_request')
}

/** The headers that make the request an authentic one. */
export function signRequest({ host, path, body, region, accessKeyId, secret, at }: ProxyRequest) {
  const time = `${new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '')}`
  const date = time.slice(0, 8)
  const scope = `${date}/${region}/${SERVICE}/aws4_request`
  const canonical = ['POST', path, '', `host:${host}`, `x-amz-date:${time}`, '', SIGNED, sha256(body)].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const signature = hmac(signingKey(secret, date, region), toSign).toString('hex')
  return {
    host,
    'x-amz-date': time,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${SIGNED}, Signature=${signature}`,
  }
}
