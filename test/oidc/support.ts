/** An issuer as a test plays it: its key set over HTTP, and tokens of every kind, made without the verifier's library. */
import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Json = Readonly<Record<string, unknown>>
export type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: Json }

export function rsaKey(kid: string, modulusLength = 2048): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } }
}
export function ecKey(kid: string): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } }
}

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** How the algorithms sign. */
const SIGNERS: Readonly<Record<string, (input: Buffer, key: SigningKey) => Buffer>> = {
  RS256: (input, { privateKey }) => sign('sha256', input, privateKey),
  RS512: (input, { privateKey }) => sign('sha512', input, privateKey),
  PS256: (input, { privateKey }) =>
    sign('sha256', input, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  ES256: (input, { privateKey }) => sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  /** The public key, as everybody can have it, taken for a shared secret. */
  HS256: (input, { privateKey }) =>
    createHmac('sha256', createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))
      .update(input)
      .digest(),
  none: () => Buffer.alloc(0),
}

export function token(claims: unknown, key: SigningKey, header: Json = {}): string {
  const head = { alg: 'RS256', typ: 'JWT', kid: key.kid, ...header }
  const input = `${part(head)}.${part(claims)}`
  const signer = SIGNERS[String(head.alg)] ?? SIGNERS.RS256
  return `${input}.${signer?.(Buffer.from(input), key).toString('base64url')}`
}

export type IssuerServer = {
  readonly url: string
  keys: readonly unknown[]
  /** Answers in place of the key set. */
  answer: RequestListener | undefined
  readonly requests: string[]
  close(): Promise<void>
}

export async function serveIssuer(keys: readonly unknown[]): Promise<IssuerServer> {
  const server: Server = createServer((request, response) => {
    state.requests.push(request.url ?? '')
    if (state.answer !== undefined) return state.answer(request, response)
    const discovery = { issuer: state.url, jwks_uri: `${state.url}/jwks` }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url?.includes('openid-configuration') ? discovery : { keys: state.keys }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const state: IssuerServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    answer: undefined,
    requests: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return state
}
