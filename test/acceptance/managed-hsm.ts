/** Azure Managed HSM as the EKM proxy API 0.1-preview has it call out, written from that alone, with real certificates. */
import { randomUUID } from 'node:crypto'
import https, { type Agent } from 'node:https'

export type Identity = { readonly cert?: string; readonly key?: string }
export type Answer = {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: members are compared, not computed with
  readonly body: any
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
}
export type Raw = {
  readonly method?: string
  readonly query?: string
  readonly type?: string
  readonly agent?: Agent
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
}

export class ManagedHsm {
  readonly #url: string
  readonly #ca: string
  readonly #identity: Identity
  readonly #agent: Agent

  constructor(url: string, ca: string, identity: Identity) {
    this.#url = url
    this.#ca = ca
    this.#identity = identity
    this.#agent = new https.Agent({ keepAlive: true, ca, minVersion: 'TLSv1.3', ...identity })
  }

  close(): void {
    this.#agent.destroy()
  }

  /** The body as it is, to whatever path. */
  send(path: string, body: string | undefined, raw: Raw = {}): Promise<Answer> {
    const { method = 'POST', query = '?api-version=0.1-preview', type = 'application/json', maxVersion } = raw
    const own = maxVersion === undefined ? { agent: this.#agent } : { agent: false, maxVersion }
    const headers = { ...(body !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(body) }) }
    return new Promise((resolve, reject) => {
      const options = { ca: this.#ca, ...this.#identity, ...own, method, headers }
      const request = https.request(`${this.#url}${path}${query}`, options, async (response) => {
        try {
          const text = Buffer.concat(await response.toArray()).toString()
          const json = /json/.test(String(response.headers['content-type']))
          resolve({
            status: response.statusCode ?? 0,
            body: json && text !== '' ? JSON.parse(text) : undefined,
            text,
            headers: response.headers,
          })
        } catch (error) {
          reject(error)
        }
      })
      request.once('error', reject)
      request.end(body)
    })
  }

  ask(path: string, members: object = {}, raw: Raw = {}): Promise<Answer> {
    const request_context = { request_id: randomUUID(), correlation_id: randomUUID(), pool_name: 'contoso-pool' }
    return this.send(path, JSON.stringify({ request_context, ...members }), raw)
  }

  info = (prefix: string) => this.ask(`${prefix}/info`)
  metadata = (key: string) => this.ask(`${key}/metadata`)
  wrap = (key: string, alg: string, value: Uint8Array) =>
    this.ask(`${key}/wrapkey`, { alg, value: Buffer.from(value).toString('base64url') })
  unwrap = (key: string, alg: string, value: Uint8Array) =>
    this.ask(`${key}/unwrapkey`, { alg, value: Buffer.from(value).toString('base64url') })
}

export const bytesOf = ({ body }: Answer): Buffer => Buffer.from(String(body?.value), 'base64url')
