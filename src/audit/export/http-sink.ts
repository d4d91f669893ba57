/** A collector that takes lines of JSON by POST, and says with a status of 2xx that it has them. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Sink } from './sink.ts'
import type { ExportLine } from './tail.ts'

export type HttpSinkOptions = {
  readonly url: string
  /** PEM; absent: the public authorities. */
  readonly ca?: string | undefined
  readonly client?: { readonly cert: string; readonly key: string } | undefined
  /** Sent as a bearer token. */
  token?(): string
}

const TIMEOUT_MS = 10_000

export class HttpSink implements Sink {
  readonly settleMs = 0
  readonly #options: HttpSinkOptions
  readonly #agent: HttpAgent | HttpsAgent
  readonly #secure: boolean

  constructor(options: HttpSinkOptions) {
    this.#options = options
    this.#secure = new URL(options.url).protocol === 'https:'
    const { ca, client } = options
    this.#agent = this.#secure
      ? new HttpsAgent({ keepAlive: true, maxSockets: 1, ...(ca !== undefined && { ca }), ...client })
      : new HttpAgent({ keepAlive: true, maxSockets: 1 })
  }

  send(lines: readonly ExportLine[], signal: AbortSignal): Promise<void> {
    const body = Buffer.from(lines.map(({ text }) => `${text}\n`).join(''))
    const token = this.#options.token?.()
    const options = {
      method: 'POST',
      agent: this.#agent,
      timeout: TIMEOUT_MS,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        'content-type': 'application/x-ndjson',
        'content-length': body.length,
        // Those who get a batch twice know it by these.
        'x-trefoil-first-record': String(lines[0]?.seq),
        'x-trefoil-last-record': String(lines.at(-1)?.seq),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    }
    return new Promise((resolve, reject) => {
      const answered = (response: IncomingMessage): void => {
        response.resume()
        const { statusCode = 0 } = response
        if (statusCode < 200 || statusCode > 299) reject(new Error(`the collector answered ${statusCode}`))
        else response.once('end', resolve).once('error', reject)
      }
      const send = this.#secure ? httpsRequest : httpRequest
      send(this.#options.url, options, answered).once('error', reject).end(body)
    })
  }

  check(): void {}

  async reset(): Promise<void> {
    this.#agent.destroy()
  }
}
