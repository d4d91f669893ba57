/**
 * An external key store proxy to misbehave with: the XKS proxy API v1.0.3 over TLS, written from the specification
 * alone, with its own check of the signature. Faults are set by the test.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import 'reflect-metadata'

type Json = Record<string, unknown>
export type Fault =
  | { readonly kind: 'error'; readonly status: number; readonly name: string }
  | { readonly kind: 'answer'; readonly status?: number; readonly text: string }
  | { readonly kind: 'change'; readonly change: (answer: Json) => Json }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'cut' }
  | { readonly kind: 'redirect'; readonly to: string }

const HOST = 'xks.test.example'
export const ENDPOINT = `https://${HOST}`
/** Every tenant is served, by the same keys. */
export const pathOf = (tenant: number): string => `/tenant-${tenant}/kms/xks/v1`
export const PATH = pathOf(1)
const SERVED = /^\/tenant-\d+\/kms\/xks\/v1\//
export const CREDENTIAL = {
  AccessKeyId: 'A'.repeat(20),
  RawSecretAccessKey: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==',
}

export async function selfSigned(
  name = HOST,
  more: readonly string[] = [],
): Promise<{ readonly cert: string; readonly key: string }> {
  const x509 = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([name, ...more].map((value) => ({ type: 'dns', value })))],
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const lines = pkcs8.match(/.{1,64}/g) ?? []
  return {
    cert: cert.toString('pem'),
    key: ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----'].join('\n'),
  }
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Whether the request is signed as appendix A of the specification says. */
function isAuthentic(path: string, headers: Record<string, unknown>, body: string): boolean {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([A-Z2-7]+)\/(\d{8})\/([a-z0-9-]+)\/kms-xks-proxy\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      String(headers.authorization),
    )
  const [, id, date, region, signed, signature] = match ?? []
  if (id !== CREDENTIAL.AccessKeyId || date === undefined || region === undefined || signed === undefined) return false
  const names = signed.split(';')
  if (!names.includes('host') || !names.includes('x-amz-date')) return false
  const time = String(headers['x-amz-date'])
  const sent = Date.parse(time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(Date.now() - sent) < 300_000)) return false
  const canonical = ['POST', path, '', ...names.map((name) => `${name}:${headers[name]}`), '', signed, sha256(body)]
  const scope = `${date}/${region}/kms-xks-proxy/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical.join('\n'))].join('\n')
  const steps = [date, region, 'kms-xks-proxy', 'aws4_request']
  const key = steps.reduce<Buffer>((key, step) => hmac(key, step), Buffer.from(`AWS4${CREDENTIAL.RawSecretAccessKey}`))
  return hmac(key, toSign).toString('hex') === signature
}

const bytes = (value: unknown): Buffer => Buffer.from(String(value ?? ''), 'base64')
const text = (value: Uint8Array): string => Buffer.from(value).toString('base64')

class ProxyError extends Error {
  readonly status: number
  constructor(status: number, name: string) {
    super(name)
    this.status = status
  }
}

export type ProxyKey = { readonly material: Buffer; keySpec: string; keyUsage: string[]; keyStatus: string }

const METADATA = Buffer.from('key_version=1')

function encrypt(key: ProxyKey, request: Json): Json {
  const aad = bytes(request.additionalAuthenticatedData)
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key.material, iv)
  cipher.setAAD(boundAad(aad, METADATA))
  const ciphertext = Buffer.concat([cipher.update(bytes(request.plaintext)), cipher.final()])
  const tag = cipher.getAuthTag()
  const integrity = createHash('sha256')
    .update(Buffer.concat([aad, METADATA, iv, ciphertext, tag]))
    .digest()
  return {
    ciphertext: text(ciphertext),
    ciphertextMetadata: text(METADATA),
    initializationVector: text(iv),
    authenticationTag: text(tag),
    ...(request.ciphertextDataIntegrityValueAlgorithm === 'SHA_256' && {
      ciphertextDataIntegrityValue: text(integrity),
    }),
  }
}

function boundAad(aad: Buffer, metadata: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(aad.length)
  return Buffer.concat([length, aad, Buffer.of(metadata.length), metadata])
}

function decrypt(key: ProxyKey, request: Json): Json {
  const decipher = createDecipheriv('aes-256-gcm', key.material, bytes(request.initializationVector))
  decipher.setAAD(boundAad(bytes(request.additionalAuthenticatedData), bytes(request.ciphertextMetadata)))
  decipher.setAuthTag(bytes(request.authenticationTag))
  try {
    return { plaintext: text(Buffer.concat([decipher.update(bytes(request.ciphertext)), decipher.final()])) }
  } catch {
    throw new ProxyError(400, 'InvalidCiphertextException')
  }
}

const HEALTHY = {
  xksProxyFleetSize: 1,
  xksProxyVendor: 'Test',
  xksProxyModel: 'Test 1.0',
  ekmVendor: 'Test',
  ekmFleetDetails: [{ id: 'one', model: 'Test', healthStatus: 'ACTIVE' }],
}

/** Serves until the test ends. `requests` are those that arrived, oldest first. */
export async function startProxy(t: { teardown(handler: () => void): void }) {
  const { cert, key: tlsKey } = await selfSigned()
  const keys = new Map<string, ProxyKey>()
  const requests: { readonly path: string; readonly body: Json }[] = []
  const state: { fault: Fault | undefined } = { fault: undefined }
  const addKey = (id: string): ProxyKey => {
    const key = {
      material: randomBytes(32),
      keySpec: 'AES_256',
      keyUsage: ['ENCRYPT', 'DECRYPT'],
      keyStatus: 'ENABLED',
    }
    keys.set(id, key)
    return key
  }

  const answer = (path: string, headers: Record<string, unknown>, raw: string): Json => {
    const [prefix] = SERVED.exec(path) ?? []
    if (prefix === undefined) throw new ProxyError(404, 'InvalidUriPathException')
    if (!isAuthentic(path, headers, raw)) throw new ProxyError(401, 'AuthenticationFailedException')
    const request = JSON.parse(raw) as Json
    requests.push({ path, body: request })
    const [first, id, operation] = path.slice(prefix.length).split('/')
    if (first === 'health') return HEALTHY
    const key = keys.get(id ?? '')
    if (key === undefined) throw new ProxyError(404, 'KeyNotFoundException')
    if (operation === 'metadata') return { keySpec: key.keySpec, keyUsage: key.keyUsage, keyStatus: key.keyStatus }
    if (key.keyStatus !== 'ENABLED') throw new ProxyError(400, 'InvalidStateException')
    return operation === 'encrypt' ? encrypt(key, request) : decrypt(key, request)
  }

  const server = createServer({ cert, key: tlsKey }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const reply = (status: number, body: string, headers = {}) =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
      const { fault } = state
      if (fault?.kind === 'cut') return request.socket.destroy()
      if (fault?.kind === 'error') return reply(fault.status, JSON.stringify({ errorName: fault.name }))
      if (fault?.kind === 'answer') return reply(fault.status ?? 200, fault.text)
      if (fault?.kind === 'slow') return setTimeout(() => reply(200, '{}'), fault.ms).unref()
      if (fault?.kind === 'redirect') return reply(307, '', { location: fault.to })
      try {
        const body = answer(request.url ?? '', request.headers, Buffer.concat(chunks).toString())
        const sent = JSON.stringify(fault?.kind === 'change' ? fault.change(body) : body)
        return reply(200, sent)
      } catch (error) {
        const status = error instanceof ProxyError ? error.status : 500
        return reply(
          status,
          JSON.stringify({ errorName: error instanceof ProxyError ? error.message : 'InternalException' }),
        )
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stop = (): void => {
    server.closeAllConnections()
    server.close()
  }
  t.teardown(stop)
  return { port, ca: cert, addKey, keys, requests, state, stop }
}
export type TestProxy = Awaited<ReturnType<typeof startProxy>>
